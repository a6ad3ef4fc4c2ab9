package io.cortado.device;

import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/** A native object with one owner, who closes it; closing again does nothing. */
abstract sealed class NativeHandle implements AutoCloseable
        permits Device, Stream, Buffer, Event, Graph, Weights, ExpertWeights, UcxWorker {
    private volatile @Nullable MemorySegment address;

    NativeHandle(MemorySegment address) {
        this.address = address;
    }

    /** The native pointer, or an error if this is closed. */
    final MemorySegment address() {
        MemorySegment open = address;
        if (open == null) {
            throw new IllegalStateException(getClass().getSimpleName() + " is closed");
        }
        return open;
    }

    static MemorySegment addressOrNull(@Nullable NativeHandle handle) {
        return handle == null ? MemorySegment.NULL : handle.address();
    }

    public final boolean isClosed() {
        return address == null;
    }

    @Override
    public final synchronized void close() {
        MemorySegment open = address;
        if (open != null) {
            destroy(open);
            address = null;
        }
    }

    /** Gives the native object back; if it throws, this stays open. */
    abstract void destroy(MemorySegment open);
}
