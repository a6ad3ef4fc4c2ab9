package io.cortado.device;

import static io.cortado.device.NativeException.check;

import io.cortado.bindings.CortadoNative;
import io.cortado.bindings.NativeLibrary;
import io.cortado.bindings.ct_device_info;
import io.cortado.bindings.ct_device_options;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A processor that runs operations, and its team of threads. Everything made from it is closed
 * first: closing a device that is still in use fails and says so.
 */
public final class Device extends NativeHandle {
    private static final List<String> ISAS = List.of("auto", "scalar", "avx2", "avx512");

    /** Parameter structures, which live as long as the device. */
    private final Arena arena = Arena.ofShared();

    private final boolean isCpu;

    private Device(MemorySegment address) {
        super(address);
        isCpu = info().computeCapability() == 0;
    }

    /**
     * Loads the native library and opens a device.
     *
     * @param name {@code cpu}, {@code cuda:N} or {@code simt:0}
     * @param threads threads that compute; 0: one per core
     * @param isa {@code auto}, {@code scalar}, {@code avx2} or {@code avx512}
     */
    public static Device open(String name, int threads, String isa) {
        int isaCode = ISAS.indexOf(isa);
        if (isaCode < 0) {
            throw new IllegalArgumentException("isa must be one of " + ISAS + ": isa=" + isa);
        }
        NativeLibrary.load();
        if (name.startsWith("cuda")) {
            NativeLibrary.provideBackend("cuda");
        }
        try (Arena call = Arena.ofConfined()) {
            MemorySegment options = ct_device_options.allocate(call);
            ct_device_options.struct_bytes(options, ct_device_options.sizeof());
            ct_device_options.num_threads(options, threads);
            ct_device_options.isa(options, isaCode);
            MemorySegment out = call.allocate(CortadoNative.C_POINTER);
            check(CortadoNative.ct_device_open(out, call.allocateFrom(name), options));
            return new Device(out.get(CortadoNative.C_POINTER, 0));
        }
    }

    public DeviceInfo info() {
        try (Arena call = Arena.ofConfined()) {
            MemorySegment info = ct_device_info.allocate(call);
            ct_device_info.struct_bytes(info, ct_device_info.sizeof());
            check(CortadoNative.ct_device_get_info(info, address()));
            return new DeviceInfo(
                    ct_device_info.name(info).getString(0),
                    ct_device_info.processor(info).getString(0),
                    ISAS.get(ct_device_info.isa(info)),
                    ct_device_info.num_threads(info),
                    ct_device_info.total_memory_bytes(info),
                    ct_device_info.free_memory_bytes(info),
                    ct_device_info.compute_capability(info),
                    ct_device_info.num_sms(info));
        }
    }

    /** Names the build of the library that serves this device: a digest of its file. */
    public String libraryDigest() {
        Path library = NativeLibrary.load();
        Path file =
                isCpu
                        ? library
                        : library.resolveSibling(
                                "libcortado_" + info().name().replaceFirst(":.*", "") + ".so");
        try {
            MessageDigest digest = MessageDigest.getInstance("SHA-256");
            return HexFormat.of().formatHex(digest.digest(Files.readAllBytes(file)), 0, 16);
        } catch (IOException e) {
            throw new UncheckedIOException("cannot read " + file, e);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e); // every JDK has it
        }
    }

    /** True if the device's memory is the host's: {@link Buffer#host} works on every buffer. */
    public boolean hostReachesMemory() {
        return isCpu;
    }

    /**
     * For tests: the call-th call from now on that allocates, enqueues, launches or waits fails
     * with {@link Status#DEVICE_LOST}, and so do all later ones; 0 injects nothing.
     */
    public void injectFault(long call) {
        check(CortadoNative.ct_device_inject_fault(address(), call));
    }

    /** Bytes of the plan that attention with these parameters as limits needs; 0: none. */
    public long attentionPlanBytes(AttentionParams params) {
        try (Arena call = Arena.ofConfined()) {
            MemorySegment out = call.allocate(CortadoNative.C_LONG);
            check(CortadoNative.ct_attention_plan_bytes(out, address(), params.struct()));
            return out.get(CortadoNative.C_LONG, 0);
        }
    }

    /** Bytes of workspace that a draw with these parameters needs; 0: none. */
    public long sampleWorkspaceBytes(SampleParams params) {
        try (Arena call = Arena.ofConfined()) {
            MemorySegment out = call.allocate(CortadoNative.C_LONG);
            check(CortadoNative.ct_sample_workspace_bytes(out, address(), params.struct()));
            return out.get(CortadoNative.C_LONG, 0);
        }
    }

    /** Bytes of workspace that {@link Kernels#verify} needs with these parameters; 0: none. */
    public long verifyWorkspaceBytes(VerifyParams params) {
        try (Arena call = Arena.ofConfined()) {
            MemorySegment out = call.allocate(CortadoNative.C_LONG);
            check(CortadoNative.ct_verify_workspace_bytes(out, address(), params.struct()));
            return out.get(CortadoNative.C_LONG, 0);
        }
    }

    /** Bytes of a state with so many slots for {@link Kernels#sample}. */
    public long sampleStateBytes(int numSlots, int vocabSize) {
        try (Arena call = Arena.ofConfined()) {
            MemorySegment out = call.allocate(CortadoNative.C_LONG);
            check(CortadoNative.ct_sample_state_bytes(out, address(), numSlots, vocabSize));
            return out.get(CortadoNative.C_LONG, 0);
        }
    }

    /** Measures for about a second what this device can do at best. */
    public double probe(Probe probe) {
        try (Arena call = Arena.ofConfined()) {
            MemorySegment perSecond = call.allocate(CortadoNative.C_DOUBLE);
            check(CortadoNative.ct_device_probe(perSecond, address(), probe.code()));
            return perSecond.get(CortadoNative.C_DOUBLE, 0);
        }
    }

    /** Zero-filled memory. */
    public Buffer createBuffer(long bytes) {
        try (Arena call = Arena.ofConfined()) {
            MemorySegment out = call.allocate(CortadoNative.C_POINTER);
            check(CortadoNative.ct_buffer_create(out, address(), bytes));
            return new Buffer(out.get(CortadoNative.C_POINTER, 0), bytes);
        }
    }

    /** Zero-filled memory that the host and the device's operations both reach. */
    public Buffer createHostBuffer(long bytes) {
        try (Arena call = Arena.ofConfined()) {
            MemorySegment out = call.allocate(CortadoNative.C_POINTER);
            check(CortadoNative.ct_buffer_create_host(out, address(), bytes));
            return new Buffer(out.get(CortadoNative.C_POINTER, 0), bytes);
        }
    }

    public Stream createStream() {
        try (Arena call = Arena.ofConfined()) {
            MemorySegment out = call.allocate(CortadoNative.C_POINTER);
            check(CortadoNative.ct_stream_create(out, address()));
            return new Stream(out.get(CortadoNative.C_POINTER, 0));
        }
    }

    /**
     * A stream for one who waits for each operation anyway: where the host reaches the device they
     * run within the calls that enqueue them, on the caller's thread.
     */
    public Stream createImmediateStream() {
        try (Arena call = Arena.ofConfined()) {
            MemorySegment out = call.allocate(CortadoNative.C_POINTER);
            check(CortadoNative.ct_stream_create_immediate(out, address()));
            return new Stream(out.get(CortadoNative.C_POINTER, 0));
        }
    }

    public Event createEvent() {
        try (Arena call = Arena.ofConfined()) {
            MemorySegment out = call.allocate(CortadoNative.C_POINTER);
            check(CortadoNative.ct_event_create(out, address()));
            return new Event(out.get(CortadoNative.C_POINTER, 0));
        }
    }

    /**
     * Packs the parts, stacked by rows, into one matrix; see {@link Weights}.
     *
     * @param dense what a quantised part becomes where it is not kept quantised: F32 or BF16
     */
    public Weights createWeights(
            List<Weights.Part> parts, long cols, DType dense, Weights.Use use) {
        return Weights.create(this, parts, cols, dense, use);
    }

    /** Bytes that {@link #createWeights} takes for parts of these shapes. */
    public long packedBytes(List<Weights.Shape> parts, long cols, DType dense, Weights.Use use) {
        return Weights.packedBytes(this, parts, cols, dense, use);
    }

    /** A layer's experts, null where an expert is not on this device; see {@link ExpertWeights}. */
    public ExpertWeights createExperts(List<ExpertWeights.@Nullable Expert> experts) {
        return ExpertWeights.create(this, experts, true);
    }

    /** The same of matrices that stay their owner's, who closes them after this. */
    public ExpertWeights lendExperts(List<ExpertWeights.@Nullable Expert> experts) {
        return ExpertWeights.create(this, experts, false);
    }

    /** Memory that lives as long as the device, for parameter structures. */
    MemorySegment allocate(long bytes) {
        address();
        return arena.allocate(bytes, 8);
    }

    @Override
    void destroy(MemorySegment open) {
        check(CortadoNative.ct_device_close(open));
        arena.close();
    }
}
