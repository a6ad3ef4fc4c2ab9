package io.cortado.server.cli;

import io.cortado.api.Timings;
import io.cortado.api.Usage;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Locale;

/** The line of numbers after an answer. */
final class Timed {
    private Timed() {}

    /**
     * Since the command was typed: the launcher hands its own start over as microseconds of the epoch.
     * Without the launcher, since the process began, as exactly as the operating system knows (a
     * second or so).
     */
    static double secondsSinceProcessStart() {
        Long launched = Long.getLong("cortado.started");
        Instant start =
                launched != null
                        ? Instant.EPOCH.plus(launched, ChronoUnit.MICROS)
                        : ProcessHandle.current().info().startInstant().orElse(Instant.now());
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
