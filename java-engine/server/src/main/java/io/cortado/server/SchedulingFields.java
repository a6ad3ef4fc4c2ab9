package io.cortado.server;

import io.cortado.api.EngineOptions.SchedulingPolicy;
import io.cortado.api.Scheduling;
import java.util.Set;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** How a request stands beside others: fields of its body, and what a gateway's headers say. */
final class SchedulingFields {
    private static final int MAX_NAME = 256;
    private static final int MAX_DRAFTS = 32;
    private static final long MAX_MS = 365L * 24 * 3600 * 1000;

    /** Gateways compute targets, and send fractions. */
    private static final Pattern MILLIS = Pattern.compile("[0-9]{1,15}(\\.[0-9]{1,15})?");

    private SchedulingFields() {}

    /**
     * A request's.
     *
     * @param sloClass the class that it names; null: none
     */
    record Read(Scheduling scheduling, @Nullable String sloClass) {}

    /**
     * Reads {@code priority}, {@code cache_salt}, {@code slo_class}, {@code ttft_ms}, {@code
     * tpot_ms}, {@code num_speculative_tokens} and {@code user}. A target in the body stands before
     * one in a header, that before the class's; the gateway's word for whose request it is stands
     * before {@code user}.
     */
    static Read read(Fields fields, RequestHead.Hints hints, TrafficOptions options) {
        String name = fields.oneOf("slo_class", sloClasses(fields, options));
        TrafficOptions.SloClass slo = name == null ? null : options.sloClasses().get(name);
        Scheduling scheduling = Scheduling.DEFAULT;
        if (slo != null) {
            scheduling = scheduling.targets(slo.ttftMs(), slo.tpotMs());
        }
        long ttftMs = header(RequestHead.Hints.TTFT, hints.ttftMs(), scheduling.ttftMs());
        long tpotMs = header(RequestHead.Hints.TPOT, hints.tpotMs(), scheduling.tpotMs());
        Long ttftAsked = fields.integer("ttft_ms", 1, MAX_MS);
        Long tpotAsked = fields.integer("tpot_ms", 1, MAX_MS);
        Long drafts = fields.integer("num_speculative_tokens", 0, MAX_DRAFTS);
        scheduling =
                scheduling
                        .draftTokens(drafts == null ? Integer.MAX_VALUE : drafts.intValue())
                        .targets(
                                ttftAsked == null ? ttftMs : ttftAsked,
                                tpotAsked == null ? tpotMs : tpotAsked)
                        .priority(priority(fields, options))
                        .tenant(tenant(fields, hints))
                        .cacheSalt(cacheSalt(fields));
        return new Read(scheduling, name);
    }

    private static Set<String> sloClasses(Fields fields, TrafficOptions options) {
        if (options.sloClasses().isEmpty() && fields.has("slo_class")) {
            throw ApiError.unsupported("slo_class", "the server was started without --slo-class");
        }
        return options.sloClasses().keySet();
    }

    private static long header(String name, @Nullable String text, long absent) {
        if (text == null) {
            return absent;
        }
        boolean isNumber = MILLIS.matcher(text).matches();
        long value = isNumber ? (long) Math.ceil(Double.parseDouble(text)) : -1;
        if (value < 1 || value > MAX_MS) {
            throw ApiError.invalid(name, name + " must be a number in [1, " + MAX_MS + "].");
        }
        return value;
    }

    /** As vLLM: only the policy that looks at it takes one. */
    private static int priority(Fields fields, TrafficOptions options) {
        Long priority = fields.integer("priority", Integer.MIN_VALUE, Integer.MAX_VALUE);
        if (priority == null || priority == 0) {
            return 0;
        }
        if (options.policy() != SchedulingPolicy.PRIORITY) {
            throw ApiError.unsupported(
                    "priority", "only 0 is taken without --scheduling-policy priority");
        }
        return priority.intValue();
    }

    private static String tenant(Fields fields, RequestHead.Hints hints) {
        String user = fields.string("user");
        String header = hints.fairnessId();
        if (header != null) {
            return name(RequestHead.Hints.FAIRNESS_ID, header);
        }
        return user == null ? "" : name(fields.path("user"), user);
    }

    private static String cacheSalt(Fields fields) {
        String salt = fields.string("cache_salt");
        if (salt == null) {
            return "";
        }
        if (salt.isEmpty()) {
            throw ApiError.invalid("cache_salt", "cache_salt must not be empty.");
        }
        return name("cache_salt", salt);
    }

    private static String name(String field, String value) {
        if (value.length() > MAX_NAME) {
            throw ApiError.invalid(
                    field,
                    "%s must have at most %d characters: %d"
                            .formatted(field, MAX_NAME, value.length()));
        }
        if (value.chars().anyMatch(Character::isISOControl)) {
            throw ApiError.invalid(field, field + " must not have control characters.");
        }
        return value;
    }
}
