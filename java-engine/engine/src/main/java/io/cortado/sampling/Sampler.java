package io.cortado.sampling;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.cortado.device.Buffer;
import io.cortado.device.Device;
import io.cortado.device.Kernels;
import io.cortado.device.SampleParams;
import io.cortado.device.Stream;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/**
 * Draws a token for each row of logits: the rows' parameters as arrays on the device, one call of
 * the kernel, the results back. Fill with {@link #begin} and {@link #add}, then {@link #upload} and
 * {@link #enqueue}, and read once the stream has passed it. One thread.
 */
public final class Sampler implements AutoCloseable {
    /** As {@code forced}: draw. */
    public static final int DRAW = -1;

    private static final int FIRST_BIAS_CAPACITY = 4096;

    private final Device device;
    private final List<Buffer> owned = new ArrayList<>();
    private final SampleParams params;
    private final int vocabSize;
    private final int maxTops;

    private final Buffer token;
    private final Buffer logprob;
    private final Buffer rank;
    private final Buffer topIds;
    private final Buffer topLogprobs;
    private final Buffer status;
    private final Buffer temperature;
    private final Buffer topK;
    private final Buffer topP;
    private final Buffer minP;
    private final Buffer seed;
    private final Buffer position;
    private final Buffer forced;
    private final Buffer biasOffsets;
    private Buffer biasIds;
    private Buffer biasValues;
    private int biasCapacity;

    // The rows on the Java side, copied in bulk: element by element costs a check each.
    private final float[] temperatures;
    private final int[] topKs;
    private final float[] topPs;
    private final float[] minPs;
    private final long[] seeds;
    private final long[] positions;
    private final int[] forces;
    private final int[] offsets;

    private int numRows;
    private int numBias;
    private boolean anyForced;

    public Sampler(Device device, int maxRows, int maxTops, int vocabSize) {
        this.device = device;
        this.vocabSize = vocabSize;
        this.maxTops = maxTops;
        params = new SampleParams(device);
        temperatures = new float[maxRows];
        topKs = new int[maxRows];
        topPs = new float[maxRows];
        minPs = new float[maxRows];
        seeds = new long[maxRows];
        positions = new long[maxRows];
        forces = new int[maxRows];
        offsets = new int[maxRows + 1];
        long word = Integer.BYTES;
        token = create(maxRows * word);
        logprob = create(maxRows * word);
        rank = create(maxRows * word);
        topIds = create(maxRows * maxTops * word);
        topLogprobs = create(maxRows * maxTops * word);
        status = create(maxRows * word);
        temperature = create(maxRows * word);
        topK = create(maxRows * word);
        topP = create(maxRows * word);
        minP = create(maxRows * word);
        seed = create(maxRows * 2 * word);
        position = create(maxRows * 2 * word);
        forced = create(maxRows * word);
        biasOffsets = create((maxRows + 1) * word);
        biasCapacity = FIRST_BIAS_CAPACITY;
        biasIds = device.createBuffer(biasCapacity * word);
        biasValues = device.createBuffer(biasCapacity * word);
    }

    private Buffer create(long bytes) {
        Buffer buffer = device.createBuffer(bytes);
        owned.add(buffer);
        return buffer;
    }

    /** Starts the next batch of rows. */
    public void begin() {
        numRows = 0;
        numBias = 0;
        anyForced = false;
    }

    /**
     * Adds a row; bias added next is this row's.
     *
     * @param position of the token to draw: with the seed the key of its random number
     * @param force the token to report instead of drawing, or {@link #DRAW}
     */
    public void add(
            float temperature,
            int topK,
            float topP,
            float minP,
            long seed,
            long position,
            int force) {
        int row = numRows++;
        temperatures[row] = temperature;
        topKs[row] = topK;
        topPs[row] = topP;
        minPs[row] = minP;
        seeds[row] = seed;
        positions[row] = position;
        forces[row] = force;
        offsets[row] = numBias;
        offsets[row + 1] = numBias;
        anyForced |= force != DRAW;
    }

    /** Adds to the logit of an id in the last row; minus infinity bans it. */
    public void bias(int id, float value) {
        if (numBias == biasCapacity) {
            growBias();
        }
        biasIds.host().setAtIndex(JAVA_INT, numBias, id);
        biasValues.host().setAtIndex(JAVA_FLOAT, numBias, value);
        numBias++;
        offsets[numRows] = numBias;
    }

    private void growBias() {
        long bytes = 2L * biasCapacity * Integer.BYTES;
        Buffer ids = device.createBuffer(bytes);
        Buffer values = device.createBuffer(bytes);
        MemorySegment.copy(biasIds.host(), 0, ids.host(), 0, bytes / 2);
        MemorySegment.copy(biasValues.host(), 0, values.host(), 0, bytes / 2);
        biasIds.close();
        biasValues.close();
        biasIds = ids;
        biasValues = values;
        biasCapacity *= 2;
    }

    /** Copies the rows that were added to the device's arrays: once a batch, before it runs. */
    public void upload() {
        MemorySegment.copy(temperatures, 0, temperature.host(), JAVA_FLOAT, 0, numRows);
        MemorySegment.copy(topKs, 0, topK.host(), JAVA_INT, 0, numRows);
        MemorySegment.copy(topPs, 0, topP.host(), JAVA_FLOAT, 0, numRows);
        MemorySegment.copy(minPs, 0, minP.host(), JAVA_FLOAT, 0, numRows);
        MemorySegment.copy(seeds, 0, seed.host(), JAVA_LONG, 0, numRows);
        MemorySegment.copy(positions, 0, position.host(), JAVA_LONG, 0, numRows);
        if (anyForced) {
            MemorySegment.copy(forces, 0, forced.host(), JAVA_INT, 0, numRows);
        }
        if (numBias > 0) {
            MemorySegment.copy(offsets, 0, biasOffsets.host(), JAVA_INT, 0, numRows + 1);
        }
    }

    /**
     * True if nothing but the rows' scalars varies from a call to the next: a graph may hold it.
     */
    public boolean isPlain() {
        return numBias == 0 && !anyForced;
    }

    /**
     * Enqueues the draw.
     *
     * @param logits float32 [rows][vocabulary]
     * @param tops likeliest tokens reported beside each row's own
     */
    public void enqueue(Buffer logits, int tops, Stream stream) {
        params.numRows(numRows)
                .vocabulary(vocabSize, vocabSize)
                .numBias(numBias)
                .maxTopLogprobs(tops);
        boolean biased = numBias > 0;
        Kernels.sample(
                token,
                logprob,
                rank,
                tops > 0 ? topIds : null,
                tops > 0 ? topLogprobs : null,
                status,
                logits,
                temperature,
                topK,
                topP,
                minP,
                seed,
                position,
                anyForced ? forced : null,
                biased ? biasOffsets : null,
                biased ? biasIds : null,
                biased ? biasValues : null,
                null,
                params,
                stream);
    }

    /** Copies what was drawn for each row. */
    public void read(int[] tokens, float[] logprobs, int[] ranks, int[] statuses) {
        MemorySegment.copy(token.host(), JAVA_INT, 0, tokens, 0, numRows);
        MemorySegment.copy(logprob.host(), JAVA_FLOAT, 0, logprobs, 0, numRows);
        MemorySegment.copy(rank.host(), JAVA_INT, 0, ranks, 0, numRows);
        MemorySegment.copy(status.host(), JAVA_INT, 0, statuses, 0, numRows);
    }

    /** Copies the likeliest tokens: {@code tops} of each row, rows {@code maxTops} apart. */
    public void readTops(int tops, int[] ids, float[] logprobs) {
        for (int row = 0; tops > 0 && row < numRows; row++) {
            long from = (long) row * tops * Integer.BYTES;
            int to = row * maxTops;
            MemorySegment.copy(topIds.host(), JAVA_INT, from, ids, to, tops);
            MemorySegment.copy(topLogprobs.host(), JAVA_FLOAT, from, logprobs, to, tops);
        }
    }

    @Override
    public void close() {
        biasIds.close();
        biasValues.close();
        owned.forEach(Buffer::close);
    }
}
