package io.cortado.server.cli;

import io.cortado.api.Timings;
import io.cortado.api.Usage;
import java.time.Duration;
import java.time.Instant;
import java.util.Locale;

/** The line of numbers after an answer. */
final class Timed {
    private Timed() {}

    /** Since the operating system started this process; the JVM's own start is part of it. */
    static double secondsSinceProcessStart() {
        Instant start = ProcessHandle.current().info().startInstant().orElse(Instant.now());
        return Duration.between(start, Instant.now()).toNanos() / 1e9;
    }

    static String line(Usage usage, Timings timings) {
        double seconds = timings.e2eNanos() / 1e9;
        return String.format(
                Locale.ROOT,
                "[%d prompt + %d output tokens; TTFT %.1f ms, TPOT %.2f ms, %.1f tokens/s]",
                usage.promptTokens(),
                usage.completionTokens(),
                timings.ttftNanos() / 1e6,
                timings.tpotNanos() / 1e6,
                seconds > 0 ? usage.completionTokens() / seconds : 0);
    }
}
