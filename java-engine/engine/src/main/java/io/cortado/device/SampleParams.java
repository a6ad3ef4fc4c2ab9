package io.cortado.device;

import io.cortado.bindings.ct_sample_params;
import java.lang.foreign.MemorySegment;

/** Arguments of {@link Kernels#sample}, reused every step: a call copies them. */
public final class SampleParams {
    private final MemorySegment struct;

    public SampleParams(Device device) {
        struct = device.allocate(ct_sample_params.sizeof());
        ct_sample_params.struct_bytes(struct, ct_sample_params.sizeof());
    }

    public SampleParams numRows(long value) {
        ct_sample_params.num_rows(struct, value);
        return this;
    }

    /** Columns that may be drawn, and elements from one row of logits to the next. */
    public SampleParams vocabulary(long vocabSize, long logitsStride) {
        ct_sample_params.vocab_size(struct, vocabSize);
        ct_sample_params.logits_stride(struct, logitsStride);
        return this;
    }

    /** Entries of biasIds and biasValues; 0: the three bias buffers may be null. */
    public SampleParams numBias(long value) {
        ct_sample_params.num_bias(struct, value);
        return this;
    }

    /** Columns of topIds and topLogprobs; 0: those two may be null. */
    public SampleParams maxTopLogprobs(long value) {
        ct_sample_params.max_top_logprobs(struct, value);
        return this;
    }

    MemorySegment struct() {
        return struct;
    }
}
