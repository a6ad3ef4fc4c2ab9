package io.cortado.device;

import static io.cortado.device.NativeException.check;

import io.cortado.bindings.CortadoNative;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/** Bytes on a device, or a view of another buffer's bytes; views are closed before their parent. */
public final class Buffer extends NativeHandle {
    /** Views start at multiples of so many bytes. */
    public static final int ALIGNMENT = CortadoNative.CT_BUFFER_ALIGNMENT();

    private final long bytes;
    private final Arena hostArena = Arena.ofShared();
    private volatile @Nullable MemorySegment host;

    /** 0: not asked for yet. */
    private volatile long deviceAddress;

    Buffer(MemorySegment address, long bytes) {
        super(address);
        this.bytes = bytes;
    }

    public long bytes() {
        return bytes;
    }

    /**
     * The bytes, for the host to read and write while no operation uses them. An access after
     * {@link #close} is an exception.
     */
    public MemorySegment host() {
        MemorySegment open = address();
        MemorySegment known = host;
        return known != null ? known : map(open);
    }

    /** Twice does no harm: the address is the same. */
    @SuppressWarnings("restricted")
    private MemorySegment map(MemorySegment open) {
        try (Arena call = Arena.ofConfined()) {
            MemorySegment out = call.allocate(CortadoNative.C_POINTER);
            check(CortadoNative.ct_buffer_host_address(out, open));
            MemorySegment mapped =
                    out.get(CortadoNative.C_POINTER, 0).reinterpret(bytes, hostArena, null);
            host = mapped;
            return mapped;
        }
    }

    /** Address of the bytes on a device other than the CPU, for a vendor's library. */
    long deviceAddress() {
        long known = deviceAddress;
        if (known != 0) {
            address(); // not of a closed one
            return known;
        }
        try (Arena call = Arena.ofConfined()) {
            MemorySegment out = call.allocate(CortadoNative.C_POINTER);
            check(CortadoNative.ct_buffer_device_address(out, address()));
            deviceAddress = out.get(CortadoNative.C_POINTER, 0).address();
            return deviceAddress;
        }
    }

    /** The bytes [offset, offset + bytes); offset is a multiple of {@link #ALIGNMENT}. */
    public Buffer view(long offset, long bytes) {
        try (Arena call = Arena.ofConfined()) {
            MemorySegment out = call.allocate(CortadoNative.C_POINTER);
            check(CortadoNative.ct_buffer_view(out, address(), offset, bytes));
            return new Buffer(out.get(CortadoNative.C_POINTER, 0), bytes);
        }
    }

    /**
     * The bytes of this host buffer for the operations of the CPU device; to be closed before this.
     */
    public Buffer shareWith(Device cpu) {
        try (Arena call = Arena.ofConfined()) {
            MemorySegment out = call.allocate(CortadoNative.C_POINTER);
            check(CortadoNative.ct_buffer_share(out, cpu.address(), address()));
            return new Buffer(out.get(CortadoNative.C_POINTER, 0), bytes);
        }
    }

    /** The smallest multiple of {@link #ALIGNMENT} that is not below bytes. */
    public static long aligned(long bytes) {
        return Math.ceilDiv(bytes, (long) ALIGNMENT) * ALIGNMENT;
    }

    @Override
    void destroy(MemorySegment open) {
        check(CortadoNative.ct_buffer_destroy(open));
        hostArena.close();
    }
}
