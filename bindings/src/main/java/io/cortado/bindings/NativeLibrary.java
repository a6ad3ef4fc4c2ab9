package io.cortado.bindings;

import java.io.IOException;
import java.io.InputStream;
import java.net.URISyntaxException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Finds and loads {@code libcortado.so}, once. In this order: the file that the system property
 * {@code cortado.library} names; a build folder under {@code cortado.root} or above the working
 * directory or these classes; the library inside the {@code linux-x86_64} jar.
 */
public final class NativeLibrary {
    private static final String FILE = "libcortado.so";
    private static final String BUILT = "native/build/" + FILE;
    private static final String RESOURCES = "/io/cortado/natives/linux-x86_64/";
    private static final System.Logger LOG = System.getLogger(NativeLibrary.class.getName());

    private static @Nullable Path loaded;
    private static @Nullable UnpackFolder unpackedTo;

    private NativeLibrary() {}

    /**
     * Loads the library unless that is done already.
     *
     * @return the file it was loaded from
     * @throws NativeLibraryException if there is none, or it is not the one these classes belong to
     */
    public static synchronized Path load() {
        if (loaded != null) {
            return loaded;
        }
        requirePlatform();
        warnAboutOldJdk(Runtime.version()).ifPresent(w -> LOG.log(System.Logger.Level.WARNING, w));
        Path library = find();
        try {
            System.load(library.toString());
        } catch (UnsatisfiedLinkError e) {
            throw new NativeLibraryException(
                    "cannot load " + library + ": " + e.getMessage() + "; rebuild it", e);
        }
        requireAbiVersion(library);
        loaded = library;
        return library;
    }

    /**
     * Puts the library of a kind of devices ({@code cuda}) beside the loaded one, which looks for
     * it there, if the jar holds it; does nothing where the library was not loaded from a jar.
     */
    public static synchronized void provideBackend(String kind) {
        Path library = load();
        UnpackFolder folder = unpackedTo;
        if (folder == null) {
            return;
        }
        String name = "libcortado_" + kind + ".so";
        Packed packed = Packed.read(name);
        if (packed == null) {
            return;
        }
        try {
            folder.unpackBeside(library, name, packed.bytes(), packed.sha256());
        } catch (IOException e) {
            throw new NativeLibraryException("cannot unpack " + name + ": " + e, e);
        }
    }

    /** The warning for a JDK that can move pinned heap arrays; empty where it is new enough. */
    static Optional<String> warnAboutOldJdk(Runtime.Version version) {
        Runtime.Version fixed = Runtime.Version.parse("25.0.3");
        if (version.compareToIgnoreOptional(fixed) >= 0) {
            return Optional.empty();
        }
        return Optional.of(
                "JDK "
                        + version
                        + " has a fault that can corrupt memory (JDK-8377811); use 25.0.3 or newer");
    }

    private static void requirePlatform() {
        String os = System.getProperty("os.name", "");
        String arch = System.getProperty("os.arch", "").toLowerCase(Locale.ROOT);
        if (!os.equals("Linux") || !(arch.equals("amd64") || arch.equals("x86_64"))) {
            throw new NativeLibraryException(
                    "Cortado runs on Linux x86_64 only: os.name=" + os + ", os.arch=" + arch);
        }
    }

    private static void requireAbiVersion(Path library) {
        int version = CortadoNative.ct_abi_version();
        if (version != CortadoNative.CT_ABI_VERSION()) {
            throw new NativeLibraryException(
                    library
                            + " has ABI version "
                            + version
                            + ", these classes need "
                            + CortadoNative.CT_ABI_VERSION()
                            + "; use the library and the jars of one build");
        }
    }

    private static Path find() {
        String explicit = System.getProperty("cortado.library");
        if (explicit != null) {
            Path file = Path.of(explicit).toAbsolutePath();
            if (!Files.isRegularFile(file)) {
                throw new NativeLibraryException(
                        "no such file: cortado.library=" + file + "; correct or drop the property");
            }
            return file;
        }
        return inBuildFolder().or(NativeLibrary::inJar).orElseThrow(NativeLibrary::missing);
    }

    private static NativeLibraryException missing() {
        return new NativeLibraryException(
                "there is no "
                        + FILE
                        + ": build it (cd native && cmake --preset release && cmake --build --preset"
                        + " release), or add io.cortado:cortado-bindings with classifier"
                        + " linux-x86_64 to the class path, or set -Dcortado.library=/path/to/"
                        + FILE);
    }

    private static Optional<Path> inBuildFolder() {
        String root = System.getProperty("cortado.root");
        if (root != null) {
            return existing(Path.of(root).toAbsolutePath().resolve(BUILT));
        }
        return above(Path.of("").toAbsolutePath()).or(() -> above(codeSource()));
    }

    private static Optional<Path> above(@Nullable Path start) {
        for (Path folder = start; folder != null; folder = folder.getParent()) {
            Optional<Path> built = existing(folder.resolve(BUILT));
            if (built.isPresent()) {
                return built;
            }
        }
        return Optional.empty();
    }

    private static Optional<Path> existing(Path file) {
        return Files.isRegularFile(file) ? Optional.of(file) : Optional.empty();
    }

    private static @Nullable Path codeSource() {
        var source = NativeLibrary.class.getProtectionDomain().getCodeSource();
        if (source == null || !source.getLocation().getProtocol().equals("file")) {
            return null;
        }
        try {
            return Path.of(source.getLocation().toURI());
        } catch (URISyntaxException e) {
            throw new NativeLibraryException("odd code source: " + source.getLocation(), e);
        }
    }

    /** A library in the jar, and the checksum beside it. */
    private record Packed(byte[] bytes, String sha256) {
        static @Nullable Packed read(String name) {
            String resource = RESOURCES + name;
            try (InputStream library = NativeLibrary.class.getResourceAsStream(resource);
                    InputStream checksum =
                            NativeLibrary.class.getResourceAsStream(resource + ".sha256")) {
                if (library == null || checksum == null) {
                    return null;
                }
                String sha256 =
                        new String(checksum.readNBytes(64), StandardCharsets.US_ASCII)
                                .toLowerCase(Locale.ROOT);
                return new Packed(library.readAllBytes(), sha256);
            } catch (IOException e) {
                throw new NativeLibraryException("cannot read " + resource + ": " + e, e);
            }
        }
    }

    private static Optional<Path> inJar() {
        Packed packed = Packed.read(FILE);
        if (packed == null) {
            return Optional.empty();
        }
        try {
            UnpackFolder folder = UnpackFolder.ofUser();
            Path file = folder.unpack(FILE, packed.bytes(), packed.sha256());
            unpackedTo = folder;
            return Optional.of(file);
        } catch (IOException e) {
            throw new NativeLibraryException(
                    "cannot unpack " + FILE + ": " + e + "; set -Dcortado.library instead", e);
        }
    }
}
