package io.cortado.bench.conformance;

import io.cortado.device.Buffer;
import io.cortado.device.Device;
import io.cortado.device.SampleRow;
import io.cortado.device.Staging;
import io.cortado.device.Stream;
import io.cortado.sampling.SampleState;
import io.cortado.sampling.Sampler;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.function.Consumer;

/**
 * Runs one row of logits through the sampler and reads the whole distribution that it drew from.
 */
final class SamplerBed implements AutoCloseable {
    private final Sampler sampler;
    private final SampleState state;
    private final Staging staging;
    private final Stream stream;
    private final Buffer logits;
    private final int vocabSize;

    /**
     * What was drawn from.
     *
     * @param ids kept tokens, the likeliest first
     */
    record Drawn(int token, int[] ids, double[] probabilities) {}

    SamplerBed(Device device, int vocabSize) {
        this.vocabSize = vocabSize;
        sampler = new Sampler(device, 1, vocabSize, vocabSize, vocabSize);
        state = new SampleState(device, 1, vocabSize);
        staging = new Staging(device);
        stream = device.createStream();
        logits = device.createBuffer(4L * vocabSize);
    }

    /**
     * @param edits adds what the row needs beside its parameters
     */
    Drawn draw(float[] values, SampleRow row, Consumer<Sampler> edits) {
        staging.write(
                logits,
                bytes ->
                        MemorySegment.copy(
                                values, 0, bytes, ValueLayout.JAVA_FLOAT, 0, values.length));
        sampler.begin(state);
        sampler.add(row).stateSlot(0).reset(true).logprobs(vocabSize, true);
        edits.accept(sampler);
        sampler.enqueue(logits, vocabSize, stream);
        stream.synchronize();
        return read();
    }

    private Drawn read() {
        int[] token = new int[1];
        int[] status = new int[1];
        sampler.read(1, token, new float[1], new int[1], status);
        if (status[0] != 0) {
            throw new IllegalStateException("the row was not drawn: status=" + status[0]);
        }
        int[] ids = new int[vocabSize];
        float[] logprobs = new float[vocabSize];
        sampler.readTops(1, vocabSize, ids, logprobs);
        int kept = 0;
        while (kept < vocabSize && ids[kept] >= 0) {
            kept++;
        }
        int[] keptIds = new int[kept];
        double[] probabilities = new double[kept];
        for (int i = 0; i < kept; i++) {
            keptIds[i] = ids[i];
            probabilities[i] = Math.exp(logprobs[i]);
        }
        return new Drawn(token[0], keptIds, probabilities);
    }

    @Override
    public void close() {
        logits.close();
        stream.close();
        staging.close();
        state.close();
        sampler.close();
    }
}
