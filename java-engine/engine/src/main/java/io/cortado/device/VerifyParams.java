package io.cortado.device;

import io.cortado.bindings.ct_verify_params;
import java.lang.foreign.MemorySegment;

/** Arguments of {@link Kernels#verify}, reused every step: a call copies them. */
public final class VerifyParams {
    private final MemorySegment struct;

    public VerifyParams(Device device) {
        struct = device.allocate(ct_verify_params.sizeof());
        ct_verify_params.struct_bytes(struct, ct_verify_params.sizeof());
    }

    /** Requests, and rows of the target over all of them. */
    public VerifyParams batch(long numRequests, long numRows) {
        ct_verify_params.num_requests(struct, numRequests);
        ct_verify_params.num_rows(struct, numRows);
        return this;
    }

    /** 0: draftLogits, draftParams and draftRows may be null. */
    public VerifyParams numDraftRows(long value) {
        ct_verify_params.num_draft_rows(struct, value);
        return this;
    }

    /** Columns of tokens, path and moves; at most one draft fewer is accepted. */
    public VerifyParams maxTokens(long value) {
        ct_verify_params.max_tokens(struct, value);
        return this;
    }

    /** Columns of a row, and elements from one row of logits, of draftLogits, to the next. */
    public VerifyParams vocabulary(long vocabSize, long logitsStride, long draftStride) {
        ct_verify_params.vocab_size(struct, vocabSize);
        ct_verify_params.logits_stride(struct, logitsStride);
        ct_verify_params.draft_stride(struct, draftStride);
        return this;
    }

    public VerifyParams logitsTypes(DType target, DType draft) {
        ct_verify_params.logits_dtype(struct, target.code());
        ct_verify_params.draft_dtype(struct, draft.code());
        return this;
    }

    public VerifyParams method(VerifyMethod value) {
        ct_verify_params.method(struct, value.code());
        return this;
    }

    /** Entries of biasIds and biasValues, and of historyIds; 0: those may be null. */
    public VerifyParams entries(long numBias, long numHistory) {
        ct_verify_params.num_bias(struct, numBias);
        ct_verify_params.num_history(struct, numHistory);
        return this;
    }

    /** Rows of masks, and words from one to the next; 0 rows: masks may be null. */
    public VerifyParams masks(long rows, long stride) {
        ct_verify_params.num_masks(struct, rows);
        ct_verify_params.mask_stride(struct, stride);
        return this;
    }

    /** Slots of the state; 0: it may be null. */
    public VerifyParams numSlots(long value) {
        ct_verify_params.num_slots(struct, value);
        return this;
    }

    MemorySegment struct() {
        return struct;
    }
}
