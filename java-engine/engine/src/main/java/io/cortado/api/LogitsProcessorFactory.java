package io.cortado.api;

/**
 * Makes the processors of a name. An engine knows those of {@link
 * EngineOptions#logitsProcessors(java.util.List)} and those that {@link java.util.ServiceLoader}
 * finds; requests ask for them by name.
 */
public interface LogitsProcessorFactory {
    /** What requests call it: 1 to 64 letters, digits, {@code _}, {@code -} and {@code .}. */
    String name();

    /** A new one for one answer. Any thread; what it throws fails the request. */
    LogitsProcessor create();
}
