package io.cortado.model;

import java.util.Objects;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/**
 * How positions rotate, as the configuration says it.
 *
 * @param theta the base of the frequencies
 * @param scaling what stretches them
 */
record Rope(double theta, Scaling scaling) {
    private static final double MAX_FACTOR = 1e6;

    /** The kinds of transformers' {@code rope_type} that are built. */
    sealed interface Scaling {}

    record None() implements Scaling {}

    record Linear(double factor) implements Scaling {}

    record Llama3(double factor, double lowFreqFactor, double highFreqFactor, int originalPositions)
            implements Scaling {}

    /** attentionFactor multiplies cos and sin. */
    record Yarn(
            double factor,
            int originalPositions,
            double betaFast,
            double betaSlow,
            double attentionFactor,
            boolean truncate)
            implements Scaling {}

    /** Reads {@code rope_theta} and {@code rope_scaling}, or {@code rope_parameters}. */
    static Rope read(ConfigJson config, int maxPositions) {
        double theta = config.number("rope_theta", 1, 1e12, 10000);
        JsonNode classic = config.find("rope_scaling");
        JsonNode modern = config.find("rope_parameters");
        if (classic != null && modern != null && !sameKind(classic, modern)) {
            throw ModelException.unsupported(
                    config.where() + ": rope_scaling and rope_parameters contradict each other");
        }
        ConfigJson scaling = config.object(modern != null ? "rope_parameters" : "rope_scaling");
        if (scaling == null) {
            return new Rope(theta, new None());
        }
        double inner = scaling.number("rope_theta", 1, 1e12, theta);
        if (config.has("rope_theta") && inner != theta) {
            throw ModelException.unsupported(
                    "%s: rope_theta=%s contradicts rope_theta=%s"
                            .formatted(scaling.where(), inner, theta));
        }
        requireWholeHead(scaling);
        Rope rope = new Rope(inner, scaling(scaling, maxPositions));
        scaling.refuseWhatNobodyUnderstood();
        return rope;
    }

    static void requireWholeHead(ConfigJson config) {
        double part = config.number("partial_rotary_factor", 0, 1, 1);
        if (part != 1) {
            throw ModelException.unsupported(
                    config.where() + ": partial_rotary_factor must be 1 here: " + part);
        }
    }

    private static boolean sameKind(JsonNode classic, JsonNode modern) {
        if (!classic.isObject() || !modern.isObject()) {
            return false;
        }
        for (var entry : classic.properties()) {
            String key = entry.getKey().equals("type") ? "rope_type" : entry.getKey();
            if (!Objects.equals(modern.get(key), entry.getValue())) {
                return false;
            }
        }
        return true;
    }

    private static Scaling scaling(ConfigJson c, int maxPositions) {
        @Nullable String type = c.text("rope_type");
        @Nullable String old = c.text("type");
        String kind = type != null ? type : old != null ? old : "default";
        if (type != null && old != null && !type.equals(old)) {
            throw ModelException.unsupported(
                    "%s: rope_type=%s contradicts type=%s".formatted(c.where(), type, old));
        }
        c.ignore(Set.of("finetuned"));
        return switch (kind) {
            case "default" -> new None();
            case "linear" -> new Linear(c.number("factor", 1, MAX_FACTOR));
            case "llama3" -> llama3(c);
            case "yarn" -> yarn(c, maxPositions);
            default ->
                    throw ModelException.unsupported(
                            c.where()
                                    + ": rope_type must be default, linear, llama3 or yarn here:"
                                    + " rope_type="
                                    + kind);
        };
    }

    private static Llama3 llama3(ConfigJson c) {
        Llama3 scaling =
                new Llama3(
                        c.number("factor", 1, MAX_FACTOR),
                        c.number("low_freq_factor", 1e-6, MAX_FACTOR),
                        c.number("high_freq_factor", 1e-6, MAX_FACTOR),
                        c.integer(
                                "original_max_position_embeddings", 1, ModelConfig.MAX_POSITIONS));
        if (scaling.highFreqFactor <= scaling.lowFreqFactor) {
            throw ModelException.invalid(
                    "%s: high_freq_factor must be above low_freq_factor: %s, %s"
                            .formatted(c.where(), scaling.highFreqFactor, scaling.lowFreqFactor));
        }
        return scaling;
    }

    private static Yarn yarn(ConfigJson c, int maxPositions) {
        int original =
                c.integer(
                        "original_max_position_embeddings",
                        1,
                        ModelConfig.MAX_POSITIONS,
                        maxPositions);
        double factor = c.number("factor", 1e-6, MAX_FACTOR, (double) maxPositions / original);
        double mscale = c.number("mscale", 0, 100, 0);
        double mscaleAllDim = c.number("mscale_all_dim", 0, 100, 0);
        double byScale =
                mscale != 0 && mscaleAllDim != 0
                        ? mscale(factor, mscale) / mscale(factor, mscaleAllDim)
                        : mscale(factor, 1);
        return new Yarn(
                factor,
                original,
                c.number("beta_fast", 1e-6, MAX_FACTOR, 32),
                c.number("beta_slow", 1e-6, MAX_FACTOR, 1),
                c.number("attention_factor", 1e-6, MAX_FACTOR, byScale),
                c.flag("truncate", true));
    }

    private static double mscale(double factor, double mscale) {
        return factor <= 1 ? 1 : 0.1 * mscale * Math.log(factor) + 1;
    }
}
