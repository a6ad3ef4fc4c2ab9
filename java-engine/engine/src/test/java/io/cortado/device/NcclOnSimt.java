package io.cortado.device;

import io.cortado.bindings.CortadoNative;
import java.lang.foreign.MemorySegment;

/**
 * What the fake of NCCL takes on the simt device: addresses in its memory, and the library's own
 * streams, which it puts its work into.
 */
public final class NcclOnSimt implements NcclAddresses {
    @Override
    public long of(Buffer buffer) {
        return buffer.deviceAddress();
    }

    @Override
    public long of(Stream stream) {
        return stream.address().address();
    }

    /** What puts a call into such a stream. */
    public static MemorySegment streamCall() {
        return CortadoNative.ct_stream_call$address();
    }
}
