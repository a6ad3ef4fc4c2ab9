package io.cortado.bench;

import java.util.Locale;
import org.jspecify.annotations.Nullable;

/** A bound that a request must keep to count as good: {@code ttft:500}. */
record Slo(Measure measure, double limitMs) {
    enum Measure {
        TTFT,
        TPOT,
        E2E
    }

    static Slo parse(String text) {
        int colon = text.indexOf(':');
        try {
            Measure measure =
                    Measure.valueOf(text.substring(0, Math.max(colon, 0)).toUpperCase(Locale.ROOT));
            double limit = Double.parseDouble(text.substring(colon + 1));
            if (limit > 0 && Double.isFinite(limit)) {
                return new Slo(measure, limit);
            }
        } catch (IllegalArgumentException e) {
            throw refused(text, e);
        }
        throw refused(text, null);
    }

    private static BenchException refused(String text, @Nullable Throwable cause) {
        return new BenchException(
                "--goodput must be ttft:MS, tpot:MS or e2e:MS: goodput=" + text, cause);
    }

    boolean keeps(double ttftMs, double tpotMs, double e2eMs) {
        double value =
                switch (measure) {
                    case TTFT -> ttftMs;
                    case TPOT -> tpotMs;
                    case E2E -> e2eMs;
                };
        return value <= limitMs;
    }
}
