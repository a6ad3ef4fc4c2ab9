package io.cortado.gang;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import io.cortado.device.Device;
import io.cortado.device.Nccl;
import io.cortado.device.NcclOnSimt;
import java.lang.foreign.AddressLayout;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import java.nio.file.Path;
import java.util.List;

/** Steers {@code native/tests/fake_nccl.c}. */
@SuppressWarnings("restricted")
public final class FakeNccl {
    static final Path FILE =
            Path.of(System.getProperty("cortado.root"), "native", "build", "libnccl_fake.so");
    private static final AddressLayout TEXT =
            ADDRESS.withTargetLayout(MemoryLayout.sequenceLayout(1 << 20, JAVA_BYTE));

    private final SymbolLookup library = SymbolLookup.libraryLookup(FILE, Arena.global());

    private MethodHandle function(String name, FunctionDescriptor descriptor) {
        return Linker.nativeLinker()
                .downcallHandle(library.find("fake_nccl_" + name).orElseThrow(), descriptor);
    }

    private void call(String name, int... arguments) {
        MemoryLayout[] layouts = new MemoryLayout[arguments.length];
        Object[] values = new Object[arguments.length];
        for (int i = 0; i < arguments.length; i++) {
            layouts[i] = JAVA_INT;
            values[i] = arguments[i];
        }
        try {
            function(name, FunctionDescriptor.ofVoid(layouts)).invokeWithArguments(values);
        } catch (Throwable e) {
            throw new IllegalStateException(e);
        }
    }

    /**
     * Joins ranks on simt devices: collectives are done in the order of their streams, which wait
     * for each other.
     */
    public static Collectives joinOnSimt(
            Collectives host, Device device, long maxReduce, long deadlineNanos) {
        return NcclCollectives.join(
                Nccl.open(FILE), host, device, maxReduce, deadlineNanos, new NcclOnSimt());
    }

    /** Streams that are given are the library's own. */
    public void useStreams() {
        try {
            function("streams", FunctionDescriptor.ofVoid(ADDRESS))
                    .invokeExact(NcclOnSimt.streamCall());
        } catch (Throwable e) {
            throw new IllegalStateException(e);
        }
    }

    public void reset() {
        call("reset");
    }

    void initPolls(int polls) {
        call("init_polls", polls);
    }

    public void stall(int rank) {
        call("stall", rank);
    }

    public void asyncError(int rank, int status) {
        call("async_error", rank, status);
    }

    void fail(String functionName, int nth, int status) {
        try (Arena arena = Arena.ofConfined()) {
            function("fail", FunctionDescriptor.ofVoid(ADDRESS, JAVA_INT, JAVA_INT))
                    .invokeExact(arena.allocateFrom(functionName), nth, status);
        } catch (Throwable e) {
            throw new IllegalStateException(e);
        }
    }

    /** What was called since the reset. */
    public List<String> calls() {
        try {
            MemorySegment text =
                    (MemorySegment) function("calls", FunctionDescriptor.of(TEXT)).invokeExact();
            return text.getString(0).lines().toList();
        } catch (Throwable e) {
            throw new IllegalStateException(e);
        }
    }
}
