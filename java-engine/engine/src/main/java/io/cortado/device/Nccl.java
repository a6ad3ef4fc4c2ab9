package io.cortado.device;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.AddressLayout;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import java.nio.file.Path;
import java.util.Optional;

/**
 * NVIDIA's library of collectives between GPUs, called directly: {@code libnccl.so.2} is found as
 * {@link VendorLibraries} tells, else by the loader, and loaded only where it is used. The JavaCPP
 * presets, which serve for cuBLASLt, have NCCL too, but their JNI library binds 63 functions of one
 * version; here are the twelve that are called, which NCCL has had since 2.18, and a library with
 * these alone is enough to test against.
 *
 * <p>Never run on a GPU: tested against a library that writes its calls down and moves bytes in
 * host memory.
 */
public final class Nccl {
    /** Bytes of an id by which ranks find each other. */
    public static final int ID_BYTES = 128;

    static final int SUCCESS = 0;
    static final int IN_PROGRESS = 7;
    static final int UINT8 = 1;
    static final int OLDEST_VERSION = 21800;

    private static final String LIBRARY = "libnccl.so.2";
    private static final MemoryLayout ID =
            MemoryLayout.structLayout(MemoryLayout.sequenceLayout(ID_BYTES, JAVA_BYTE));

    /**
     * {@code ncclConfig_t} of 2.17; its size and version say so, hence every later one reads it.
     */
    private static final int CONFIG_BYTES = 48;

    private static final int CONFIG_MAGIC = 0xcafebeef;
    private static final int CONFIG_VERSION = 21700;
    private static final int CONFIG_UNDEFINED = Integer.MIN_VALUE;
    private static final int CONFIG_BLOCKING = 16;
    private static final int CONFIG_NET_NAME = 32;
    private static final int CONFIG_SPLIT_SHARE = 40;

    @SuppressWarnings("restricted")
    private static final AddressLayout TEXT =
            ADDRESS.withTargetLayout(MemoryLayout.sequenceLayout(1 << 12, JAVA_BYTE));

    final MethodHandle groupStart;
    final MethodHandle groupEnd;
    final MethodHandle send;
    final MethodHandle recv;
    final MethodHandle allGather;
    final MethodHandle asyncError;
    final MethodHandle abort;
    final MethodHandle destroy;
    private final MethodHandle init;
    private final MethodHandle errorString;
    private final MethodHandle uniqueId;
    private final int version;

    private Nccl(SymbolLookup library) {
        FunctionDescriptor ofComm = FunctionDescriptor.of(JAVA_INT, ADDRESS);
        FunctionDescriptor ofNothing = FunctionDescriptor.of(JAVA_INT);
        FunctionDescriptor toPeer =
                FunctionDescriptor.of(
                        JAVA_INT, ADDRESS, JAVA_LONG, JAVA_INT, JAVA_INT, ADDRESS, ADDRESS);
        errorString = bind(library, "ncclGetErrorString", FunctionDescriptor.of(TEXT, JAVA_INT));
        version = version(bind(library, "ncclGetVersion", ofComm));
        uniqueId = bind(library, "ncclGetUniqueId", ofComm);
        init =
                bind(
                        library,
                        "ncclCommInitRankConfig",
                        FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_INT, ID, JAVA_INT, ADDRESS));
        groupStart = bind(library, "ncclGroupStart", ofNothing);
        groupEnd = bind(library, "ncclGroupEnd", ofNothing);
        send = bind(library, "ncclSend", toPeer);
        recv = bind(library, "ncclRecv", toPeer);
        allGather =
                bind(
                        library,
                        "ncclAllGather",
                        FunctionDescriptor.of(
                                JAVA_INT, ADDRESS, ADDRESS, JAVA_LONG, JAVA_INT, ADDRESS, ADDRESS));
        asyncError =
                bind(
                        library,
                        "ncclCommGetAsyncError",
                        FunctionDescriptor.of(JAVA_INT, ADDRESS, ADDRESS));
        abort = bind(library, "ncclCommAbort", ofComm);
        destroy = bind(library, "ncclCommDestroy", ofComm);
    }

    /**
     * The machine's.
     *
     * @throws NcclException if it is not found, or too old
     */
    public static Nccl open() {
        return open(VendorLibraries.ofMachine());
    }

    static Nccl open(VendorLibraries libraries) {
        Optional<Path> file = libraries.find(LIBRARY);
        return file.isPresent()
                ? open(file.get())
                : load(LIBRARY, "; looked for in " + libraries.describe());
    }

    /** Of a file; it stays loaded. */
    public static Nccl open(Path file) {
        return load(file.toString(), "");
    }

    /** Of a path with a slash in it, or of a name that the loader knows. */
    @SuppressWarnings("restricted") // to load a library is what this method is for
    private static Nccl load(String library, String whereElse) {
        SymbolLookup symbols;
        try {
            symbols =
                    library.contains("/")
                            ? SymbolLookup.libraryLookup(Path.of(library), Arena.global())
                            : SymbolLookup.libraryLookup(library, Arena.global());
        } catch (IllegalArgumentException e) {
            throw new NcclException(
                    library
                            + " cannot be loaded: install NCCL, or name its folder in"
                            + " -Dcortado.cuda.path; "
                            + e.getMessage()
                            + whereElse);
        }
        return new Nccl(symbols);
    }

    @SuppressWarnings("restricted")
    private static MethodHandle bind(
            SymbolLookup library, String name, FunctionDescriptor descriptor) {
        MemorySegment function =
                library.find(name).orElseThrow(() -> new NcclException("this NCCL has no " + name));
        return Linker.nativeLinker().downcallHandle(function, descriptor);
    }

    private int version(MethodHandle get) {
        try (Arena call = Arena.ofConfined()) {
            MemorySegment out = call.allocate(JAVA_INT);
            check("ncclGetVersion", (int) get.invokeExact(out));
            int found = out.get(JAVA_INT, 0);
            if (found < OLDEST_VERSION) {
                throw new NcclException(
                        "NCCL is too old: version=" + found + " oldest=" + OLDEST_VERSION);
            }
            return found;
        } catch (Throwable e) {
            throw unchecked(e);
        }
    }

    /** As NCCL counts: 23007 is 2.30.7. All ranks need the same. */
    public int version() {
        return version;
    }

    /** A new id, for one rank to make and all to be given. */
    public byte[] uniqueId() {
        try (Arena call = Arena.ofConfined()) {
            MemorySegment id = call.allocate(ID);
            check("ncclGetUniqueId", (int) uniqueId.invokeExact(id));
            return id.toArray(JAVA_BYTE);
        } catch (Throwable e) {
            throw unchecked(e);
        }
    }

    /**
     * Begins to join the other ranks, of the GPU that this thread uses; {@link NcclComm#isBusy}
     * tells when all are there.
     */
    public NcclComm join(byte[] id, int rank, int size, NcclAddresses addresses) {
        if (id.length != ID_BYTES) {
            throw new IllegalArgumentException(
                    "an id has %d bytes: bytes=%d".formatted(ID_BYTES, id.length));
        }
        try (Arena call = Arena.ofConfined()) {
            MemorySegment out = call.allocate(ADDRESS);
            MemorySegment given = call.allocate(ID);
            given.copyFrom(MemorySegment.ofArray(id));
            int status = (int) init.invokeExact(out, size, given, rank, config(call));
            if (status != IN_PROGRESS) {
                check("ncclCommInitRankConfig", status);
            }
            return new NcclComm(this, out.get(ADDRESS, 0), addresses);
        } catch (Throwable e) {
            throw unchecked(e);
        }
    }

    /** No call of it blocks; all else as NCCL thinks best. */
    private static MemorySegment config(Arena arena) {
        MemorySegment config = arena.allocate(CONFIG_BYTES, Long.BYTES);
        config.set(JAVA_LONG, 0, CONFIG_BYTES);
        config.set(JAVA_INT, 8, CONFIG_MAGIC);
        config.set(JAVA_INT, 12, CONFIG_VERSION);
        for (int at = CONFIG_BLOCKING; at < CONFIG_NET_NAME; at += Integer.BYTES) {
            config.set(JAVA_INT, at, CONFIG_UNDEFINED);
        }
        config.set(JAVA_INT, CONFIG_BLOCKING, 0);
        config.set(ADDRESS, CONFIG_NET_NAME, MemorySegment.NULL);
        config.set(JAVA_INT, CONFIG_SPLIT_SHARE, CONFIG_UNDEFINED);
        return config;
    }

    /** Throws unless the status is good. */
    void check(String function, int status) {
        if (status != SUCCESS) {
            throw new NcclException("%s: %s (%d)".formatted(function, text(status), status));
        }
    }

    private String text(int status) {
        try {
            MemorySegment text = (MemorySegment) errorString.invokeExact(status);
            return text.equals(MemorySegment.NULL) ? "unknown error" : text.getString(0);
        } catch (Throwable e) {
            throw unchecked(e);
        }
    }

    /** A method handle declares to throw anything. */
    static RuntimeException unchecked(Throwable e) {
        return switch (e) {
            case RuntimeException runtime -> runtime;
            case Error error -> throw error;
            default -> new IllegalStateException(e);
        };
    }
}
