package io.cortado.model;

import io.cortado.device.RopeStyle;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/**
 * Reads how positions rotate: the classic keys {@code rope_theta}, {@code rope_scaling} and {@code
 * partial_rotary_factor}, or {@code rope_parameters} of transformers 5, which holds them all.
 *
 * @param theta the base where none is given
 * @param part whether a file may let a part of the head rotate
 * @param partByDefault the rotating part of a head where none is given
 */
record RopeReader(int headDim, RopeStyle style, double theta, Part part, double partByDefault) {
    private static final double MAX_FACTOR = 1e6;

    enum Part {
        WHOLE,
        FREE
    }

    /** The rotation of most families: halves of whole heads. */
    static RopeReader of(int headDim) {
        return new RopeReader(headDim, RopeStyle.HALVES, 10000, Part.WHOLE, 1);
    }

    RopeReader style(RopeStyle value) {
        return new RopeReader(headDim, value, theta, part, partByDefault);
    }

    RopeReader theta(double value) {
        return new RopeReader(headDim, style, value, part, partByDefault);
    }

    /** A part of the head rotates: {@code partial_rotary_factor}, or this one. */
    RopeReader part(double value) {
        return new RopeReader(headDim, style, theta, Part.FREE, value);
    }

    /** One rotation for all layers. */
    Rope read(ConfigJson config) {
        JsonNode modern = config.find("rope_parameters");
        requireAgreement(config, modern);
        String key = modern != null ? "rope_parameters" : "rope_scaling";
        return read(config, config.object(key), "rope_theta");
    }

    /**
     * @param block what {@code rope_scaling} or {@code rope_parameters} hold for these layers
     * @param thetaKey the classic key of their base
     */
    Rope read(ConfigJson config, @Nullable ConfigJson block, String thetaKey) {
        double base = config.number(thetaKey, 1, 1e12, theta);
        double ofHead = config.number("partial_rotary_factor", 0, 1, partByDefault);
        if (block == null) {
            return new Rope(style, rotaryDim(config, ofHead), base, new Rope.None());
        }
        double inner = same(config, thetaKey, base, block.number("rope_theta", 1, 1e12, base));
        String partKey = "partial_rotary_factor";
        double innerPart = same(config, partKey, ofHead, block.number(partKey, 0, 1, ofHead));
        int rotaryDim = rotaryDim(block, innerPart);
        Rope rope = new Rope(style, rotaryDim, inner, scaling(config, block, rotaryDim));
        block.refuseWhatNobodyUnderstood();
        return rope;
    }

    /** The value of a block, which must not differ from one outside that is given as well. */
    private static double same(ConfigJson config, String key, double outer, double inner) {
        if (config.has(key) && inner != outer) {
            throw ModelException.unsupported(
                    "%s: %s=%s contradicts %s of the rope parameters"
                            .formatted(config.where(), key, outer, inner));
        }
        return inner;
    }

    private int rotaryDim(ConfigJson c, double ofHead) {
        if (part == Part.WHOLE && ofHead != 1) {
            throw ModelException.unsupported(
                    c.where() + ": partial_rotary_factor must be 1 here: " + ofHead);
        }
        int dim = (int) (headDim * ofHead);
        if (dim < 2 || dim % 2 != 0) {
            throw ModelException.unsupported(
                    "%s: partial_rotary_factor=%s of head_dim=%d must be an even number of elements"
                            .formatted(c.where(), ofHead, headDim));
        }
        return dim;
    }

    /** All that the classic block says must be said by the modern one as well. */
    static void requireAgreement(ConfigJson config, @Nullable JsonNode modern) {
        JsonNode classic = config.find("rope_scaling");
        if (classic == null || modern == null) {
            return;
        }
        if (!classic.isObject()) {
            throw ModelException.invalid(config.where() + ": rope_scaling must be an object");
        }
        for (var entry : classic.properties()) {
            String key = entry.getKey().equals("type") ? "rope_type" : entry.getKey();
            if (!Objects.equals(modern.get(key), entry.getValue())) {
                throw ModelException.unsupported(
                        config.where()
                                + ": rope_scaling and rope_parameters contradict each other");
            }
        }
    }

    private static Rope.Scaling scaling(ConfigJson config, ConfigJson c, int rotaryDim) {
        @Nullable String type = kind(c, "rope_type");
        @Nullable String old = kind(c, "type");
        String kind = type != null ? type : old != null ? old : "default";
        if (type != null && old != null && !type.equals(old)) {
            throw ModelException.unsupported(
                    "%s: rope_type=%s contradicts type=%s".formatted(c.where(), type, old));
        }
        c.ignore(Set.of("finetuned"));
        return switch (kind) {
            case "default" -> new Rope.None();
            case "linear" -> new Rope.Linear(c.number("factor", 1, MAX_FACTOR));
            case "llama3" -> llama3(c);
            case "yarn" -> yarn(config, c);
            case "longrope" -> longRope(config, c, rotaryDim);
            default ->
                    throw ModelException.unsupported(
                            c.where()
                                    + ": rope_type must be default, linear, llama3, yarn or"
                                    + " longrope here: rope_type="
                                    + kind);
        };
    }

    /** Early Phi-3 files say su or yarn where they mean long rope. */
    private static @Nullable String kind(ConfigJson c, String key) {
        String kind = c.text(key);
        boolean isLong = "su".equals(kind) || "yarn".equals(kind) && c.has("short_factor");
        return isLong ? "longrope" : kind;
    }

    private static Rope.Llama3 llama3(ConfigJson c) {
        Rope.Llama3 scaling =
                new Rope.Llama3(
                        c.number("factor", 1, MAX_FACTOR),
                        c.number("low_freq_factor", 1e-6, MAX_FACTOR),
                        c.number("high_freq_factor", 1e-6, MAX_FACTOR),
                        positions(c, "original_max_position_embeddings"));
        if (scaling.highFreqFactor() <= scaling.lowFreqFactor()) {
            throw ModelException.invalid(
                    "%s: high_freq_factor must be above low_freq_factor: %s, %s"
                            .formatted(
                                    c.where(), scaling.highFreqFactor(), scaling.lowFreqFactor()));
        }
        return scaling;
    }

    private static int positions(ConfigJson c, String key) {
        return c.integer(key, 1, ModelConfig.MAX_POSITIONS);
    }

    private static Rope.Yarn yarn(ConfigJson config, ConfigJson c) {
        int maxPositions = positions(config, "max_position_embeddings");
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
        return new Rope.Yarn(
                factor,
                original,
                c.number("beta_fast", 1e-6, MAX_FACTOR, 32),
                c.number("beta_slow", 1e-6, MAX_FACTOR, 1),
                c.number("attention_factor", 1e-6, MAX_FACTOR, byScale),
                c.flag("truncate", true),
                mscaleAllDim);
    }

    static double mscale(double factor, double mscale) {
        return factor <= 1 ? 1 : 0.1 * mscale * Math.log(factor) + 1;
    }

    /** The original length stands in the block or beside it; the factor is the ratio of lengths. */
    private static Rope.Long longRope(ConfigJson config, ConfigJson c, int rotaryDim) {
        String key = "original_max_position_embeddings";
        int maxPositions = positions(config, "max_position_embeddings");
        int outer = config.integer(key, 1, ModelConfig.MAX_POSITIONS, maxPositions);
        int original = c.integer(key, 1, ModelConfig.MAX_POSITIONS, outer);
        same(config, key, outer, original);
        boolean isRatio = config.has(key) || c.has(key);
        double ratio = (double) maxPositions / original;
        double factor = c.number("factor", 1e-6, MAX_FACTOR, ratio);
        if (isRatio && Math.abs(factor - ratio) > 1e-6 * ratio) {
            throw ModelException.unsupported(
                    "%s: factor=%s contradicts max_position_embeddings / %s = %s"
                            .formatted(c.where(), factor, key, ratio));
        }
        // A context of one token has no logarithm to divide by.
        double byLength =
                factor <= 1 || original == 1
                        ? 1
                        : Math.sqrt(1 + Math.log(factor) / Math.log(original));
        return new Rope.Long(
                divisors(c, "short_factor", rotaryDim / 2),
                divisors(c, "long_factor", rotaryDim / 2),
                original,
                c.number("attention_factor", 1e-6, MAX_FACTOR, byLength));
    }

    private static List<Double> divisors(ConfigJson c, String key, int count) {
        List<Double> divisors = c.numbers(key, 1e-6, MAX_FACTOR);
        if (divisors.size() != count) {
            throw ModelException.invalid(
                    "%s: %s must have rotary_dim / 2 = %d entries: %d"
                            .formatted(c.where(), key, count, divisors.size()));
        }
        return divisors;
    }
}
