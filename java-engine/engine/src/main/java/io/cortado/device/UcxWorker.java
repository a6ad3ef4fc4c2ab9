package io.cortado.device;

import static io.cortado.device.NativeException.check;

import io.cortado.bindings.CortadoNative;
import io.cortado.bindings.NativeLibrary;
import io.cortado.bindings.ct_ucx_options;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * A rank's end over UCX. One thread at a time uses it, but for {@link #abort}, which any thread may
 * call until {@link #close} begins. A failed exchange is final.
 */
public final class UcxWorker extends NativeHandle {
    private static final int MAX_ADDRESS_BYTES = 1 << 16;

    private final int size;

    /** int64[size] each: of what is sent and received, by rank. */
    private final MemorySegment sendOffsets;

    private final MemorySegment sendBytes;
    private final MemorySegment receiveOffsets;
    private final MemorySegment receiveCapacities;
    private final MemorySegment receivedBytes;

    private UcxWorker(MemorySegment address, int size) {
        super(address);
        this.size = size;
        Arena arena = Arena.ofAuto();
        sendOffsets = arena.allocate(ValueLayout.JAVA_LONG, size);
        sendBytes = arena.allocate(ValueLayout.JAVA_LONG, size);
        receiveOffsets = arena.allocate(ValueLayout.JAVA_LONG, size);
        receiveCapacities = arena.allocate(ValueLayout.JAVA_LONG, size);
        receivedBytes = arena.allocate(ValueLayout.JAVA_LONG, size);
    }

    /**
     * Loads the native library, and UCX, and opens a rank's end.
     *
     * @param spins looks in vain before each further one yields the core
     * @throws NativeException with {@link Status#UNSUPPORTED} or {@link Status#UNAVAILABLE} where
     *     UCX is absent
     */
    public static UcxWorker open(int rank, int size, int spins) {
        NativeLibrary.load();
        try (Arena call = Arena.ofConfined()) {
            MemorySegment options = ct_ucx_options.allocate(call);
            ct_ucx_options.struct_bytes(options, ct_ucx_options.sizeof());
            ct_ucx_options.rank(options, rank);
            ct_ucx_options.size(options, size);
            ct_ucx_options.spins(options, spins);
            MemorySegment out = call.allocate(CortadoNative.C_POINTER);
            check(CortadoNative.ct_ucx_open(out, options));
            return new UcxWorker(out.get(CortadoNative.C_POINTER, 0), size);
        }
    }

    /** The most ranks there can be. */
    public static int maxRanks() {
        return CortadoNative.CT_MAX_RANKS();
    }

    public int size() {
        return size;
    }

    /** What peers connect to. */
    public byte[] workerAddress() {
        try (Arena call = Arena.ofConfined()) {
            MemorySegment bytes = call.allocate(ValueLayout.JAVA_LONG);
            MemorySegment out = call.allocate(MAX_ADDRESS_BYTES);
            check(CortadoNative.ct_ucx_address(out, bytes, MAX_ADDRESS_BYTES, address()));
            return out.asSlice(0, bytes.get(ValueLayout.JAVA_LONG, 0))
                    .toArray(ValueLayout.JAVA_BYTE);
        }
    }

    /** Connects to a peer by its address, once. */
    public void connect(int rank, byte[] peerAddress) {
        try (Arena call = Arena.ofConfined()) {
            MemorySegment bytes = call.allocateFrom(ValueLayout.JAVA_BYTE, peerAddress);
            check(CortadoNative.ct_ucx_connect(address(), rank, bytes, peerAddress.length));
        }
    }

    /**
     * Memory to send from that peers on this host read in place, zeroed.
     *
     * @param bytes at least 1
     * @param owner to be closed before this is
     */
    @SuppressWarnings("restricted")
    public MemorySegment allocate(long bytes, Arena owner) {
        try (Arena call = Arena.ofConfined()) {
            MemorySegment out = call.allocate(CortadoNative.C_POINTER);
            check(CortadoNative.ct_ucx_allocate(out, bytes, address()));
            return out.get(CortadoNative.C_POINTER, 0).reinterpret(bytes, owner, null);
        }
    }

    /** What the next exchange sends a rank: bytes from an offset of its memory on. */
    public void send(int rank, long offset, long bytes) {
        sendOffsets.setAtIndex(ValueLayout.JAVA_LONG, rank, offset);
        sendBytes.setAtIndex(ValueLayout.JAVA_LONG, rank, bytes);
    }

    /** Where the next exchange receives a rank's part, and how much fits. */
    public void receive(int rank, long offset, long capacity) {
        receiveOffsets.setAtIndex(ValueLayout.JAVA_LONG, rank, offset);
        receiveCapacities.setAtIndex(ValueLayout.JAVA_LONG, rank, capacity);
    }

    /** How much the last exchange received of a rank. */
    public long receivedBytes(int rank) {
        return receivedBytes.getAtIndex(ValueLayout.JAVA_LONG, rank);
    }

    /**
     * Exchanges the parts that were set, in memory outside the heap.
     *
     * @param kind 0 to 255, the same on all ranks
     * @throws NativeException with {@link Status#TIMEOUT}, {@link Status#MISMATCH}, {@link
     *     Status#ABORTED} or {@link Status#TRANSPORT}, as {@code cortado.h} tells
     */
    public void exchange(int kind, MemorySegment receive, MemorySegment send, long timeoutNanos) {
        check(
                CortadoNative.ct_ucx_exchange(
                        receive,
                        receivedBytes,
                        receiveOffsets,
                        receiveCapacities,
                        send,
                        sendOffsets,
                        sendBytes,
                        address(),
                        kind,
                        timeoutNanos));
    }

    /** Ends an exchange that runs and fails all later ones; the peers are told why. */
    public void abort(String why) {
        try (Arena call = Arena.ofConfined()) {
            check(CortadoNative.ct_ucx_abort(address(), call.allocateFrom(why)));
        }
    }

    @Override
    void destroy(MemorySegment open) {
        check(CortadoNative.ct_ucx_close(open));
    }
}
