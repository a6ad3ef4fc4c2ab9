package io.cortado.api;

import java.nio.file.Path;

/** Service behind {@link Engine#open}; implemented by {@code io.cortado.engine}. */
public interface EngineProvider {
    /** See {@link Engine#open}. */
    Engine open(Path model, EngineOptions options);
}
