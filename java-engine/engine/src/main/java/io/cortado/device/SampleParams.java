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

    public SampleParams logitsType(DType type) {
        ct_sample_params.logits_dtype(struct, type.code());
        return this;
    }

    /** Entries of biasIds and biasValues; 0: those two may be null. */
    public SampleParams numBias(long value) {
        ct_sample_params.num_bias(struct, value);
        return this;
    }

    /** Columns of topIds and topLogprobs; 0: those two may be null. */
    public SampleParams maxTopLogprobs(long value) {
        ct_sample_params.max_top_logprobs(struct, value);
        return this;
    }

    /** Entries of historyIds; 0: it may be null. */
    public SampleParams numHistory(long value) {
        ct_sample_params.num_history(struct, value);
        return this;
    }

    /** Rows of masks, and words from one to the next; 0 rows: masks may be null. */
    public SampleParams masks(long rows, long stride) {
        ct_sample_params.num_masks(struct, rows);
        ct_sample_params.mask_stride(struct, stride);
        return this;
    }

    /** Slots of the state; 0: it may be null. */
    public SampleParams numSlots(long value) {
        ct_sample_params.num_slots(struct, value);
        return this;
    }

    /** Whether rows may assume tokens on top of a slot that they share. */
    public SampleParams sharesSlots(boolean value) {
        ct_sample_params.shares_slots(struct, value ? 1 : 0);
        return this;
    }

    MemorySegment struct() {
        return struct;
    }
}
