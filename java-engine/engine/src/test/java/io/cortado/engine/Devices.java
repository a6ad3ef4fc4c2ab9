package io.cortado.engine;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.cortado.bindings.NativeLibrary;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** The devices that tests run on. */
public final class Devices {
    private static final String SIMT = "simt:0";

    private Devices() {}

    /** For {@code MethodSource}; each test calls {@link #assumePresent} first. */
    public static List<String> all() {
        return List.of("cpu", SIMT);
    }

    /** Skips the test, with the reason, where the device's library was not built. */
    public static void assumePresent(String device) {
        Path simt = NativeLibrary.load().resolveSibling("libcortado_simt.so");
        assumeTrue(
                !device.equals(SIMT) || Files.isRegularFile(simt),
                () -> simt + " is not built: cmake --build native/build --target cortado_simt");
    }
}
