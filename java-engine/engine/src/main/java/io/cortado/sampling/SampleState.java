package io.cortado.sampling;

import io.cortado.device.Buffer;
import io.cortado.device.Device;

/**
 * What the device keeps of requests from step to step, a slot each: which tokens their prompts
 * hold, how often they drew each, and mirostat's mu; 8 bytes a token of the vocabulary. A slot that
 * changes its request is cleared by the first row that asks for it. All samplers of an engine share
 * it; it must outlive what is enqueued.
 */
public final class SampleState implements AutoCloseable {
    private final Buffer buffer;
    private final int numSlots;

    public SampleState(Device device, int numSlots, int vocabSize) {
        this.numSlots = numSlots;
        buffer = device.createBuffer(device.sampleStateBytes(numSlots, vocabSize));
    }

    public int numSlots() {
        return numSlots;
    }

    Buffer buffer() {
        return buffer;
    }

    @Override
    public void close() {
        buffer.close();
    }
}
