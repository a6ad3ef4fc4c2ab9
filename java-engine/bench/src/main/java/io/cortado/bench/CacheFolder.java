package io.cortado.bench;

import java.nio.file.Path;

/** Where benchmarks keep what is dear to make twice. */
public final class CacheFolder {
    private CacheFolder() {}

    public static Path resolve(String name) {
        String configured = System.getenv("XDG_CACHE_HOME");
        Path base =
                configured == null || configured.isEmpty()
                        ? Path.of(System.getProperty("user.home"), ".cache")
                        : Path.of(configured);
        return base.resolve("cortado").resolve("bench").resolve(name);
    }
}
