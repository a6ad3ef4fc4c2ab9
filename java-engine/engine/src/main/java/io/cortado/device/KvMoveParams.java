package io.cortado.device;

import io.cortado.bindings.ct_kv_move_params;
import java.lang.foreign.MemorySegment;

/** Arguments of {@link Kernels#kvMove}, filled once and reused every step: a call copies them. */
public final class KvMoveParams {
    private final MemorySegment struct;

    public KvMoveParams(Device device) {
        struct = device.allocate(ct_kv_move_params.sizeof());
        ct_kv_move_params.struct_bytes(struct, ct_kv_move_params.sizeof());
    }

    /** Sequences, and moves of each at most. */
    public KvMoveParams moves(long numSeqs, long maxMoves) {
        ct_kv_move_params.num_seqs(struct, numSeqs);
        ct_kv_move_params.max_moves(struct, maxMoves);
        return this;
    }

    /** Slots of the cache, tokens in a block (0: 16), elements from one block to the next. */
    public KvMoveParams cache(long numSlots, int blockSize, long blockStride) {
        ct_kv_move_params.num_slots(struct, numSlots);
        ct_kv_move_params.block_size(struct, blockSize);
        ct_kv_move_params.block_stride(struct, blockStride);
        return this;
    }

    /** headDimV 0: headDim. */
    public KvMoveParams heads(int numKvHeads, int headDim, int headDimV, DType kv) {
        ct_kv_move_params.num_kv_heads(struct, numKvHeads);
        ct_kv_move_params.head_dim(struct, headDim);
        ct_kv_move_params.head_dim_v(struct, headDimV);
        ct_kv_move_params.kv_dtype(struct, kv.code());
        return this;
    }

    MemorySegment struct() {
        return struct;
    }
}
