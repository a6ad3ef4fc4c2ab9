package io.cortado.model;

import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** What stretches a GGUF model's positions, as {@code rope_scaling}. */
final class GgufRope {
    private static final ValueLayout.OfFloat F32 =
            ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final double MAX_FACTOR = 1e6;

    private GgufRope() {}

    /**
     * Null: nothing stretches them.
     *
     * @param divisors the tensor {@code rope_freqs.weight}
     */
    static @Nullable ObjectNode scaling(GgufKeys keys, GgufFile.@Nullable Stored divisors) {
        String type = keys.text("rope.scaling.type");
        // The key's older name, of when linear scaling was the only one.
        double old = keys.number("rope.scale_linear", 0, MAX_FACTOR, 0);
        double factor = keys.number("rope.scaling.factor", 0, MAX_FACTOR, old);
        keys.has("rope.scaling.finetuned");
        String kind = type == null ? factor > 0 ? "linear" : "none" : type;
        ObjectNode scaling =
                switch (kind) {
                    case "none" -> null;
                    case "linear" -> linear(factor);
                    case "yarn" -> yarn(keys, factor);
                    default ->
                            throw ModelException.unsupported(
                                    "%s must be none, linear or yarn here: %s"
                                            .formatted(keys.full("rope.scaling.type"), kind));
                };
        if (divisors == null) {
            return scaling;
        }
        if (scaling != null) {
            throw ModelException.unsupported(
                    "rope_freqs.weight beside %s=%s is not supported"
                            .formatted(keys.full("rope.scaling.type"), kind));
        }
        return divided(keys, divisors);
    }

    /** llama.cpp reads a factor of 0 as 1. */
    private static @Nullable ObjectNode linear(double factor) {
        if (factor == 0 || factor == 1) {
            return null;
        }
        ObjectNode scaling = JsonNodeFactory.instance.objectNode();
        scaling.put("rope_type", "linear");
        scaling.put("factor", factor);
        return scaling;
    }

    private static ObjectNode yarn(GgufKeys keys, double factor) {
        if (factor == 0) {
            throw ModelException.invalid(
                    "there is no " + keys.full("rope.scaling.factor") + " of yarn");
        }
        keys.require("rope.scaling.yarn_ext_factor", 1);
        keys.require("rope.scaling.yarn_attn_factor", 1);
        keys.require("rope.scaling.yarn_log_multiplier", 0);
        double attention = keys.number("rope.scaling.attn_factor", 1e-6, MAX_FACTOR, 1);
        ObjectNode scaling = JsonNodeFactory.instance.objectNode();
        scaling.put("rope_type", "yarn");
        scaling.put("factor", factor);
        scaling.put(
                "original_max_position_embeddings",
                keys.integer(
                        "rope.scaling.original_context_length",
                        1,
                        ModelConfig.MAX_POSITIONS,
                        keys.integer("context_length", 1, ModelConfig.MAX_POSITIONS)));
        scaling.put("beta_fast", keys.number("rope.scaling.yarn_beta_fast", 1e-6, 1e6, 32));
        scaling.put("beta_slow", keys.number("rope.scaling.yarn_beta_slow", 1e-6, 1e6, 1));
        scaling.put("attention_factor", attention * (0.1 * Math.log(factor) + 1));
        return scaling;
    }

    /**
     * Each frequency has a divisor of its own, whatever the length: what Llama 3's scaling comes
     * to.
     */
    private static ObjectNode divided(GgufKeys keys, GgufFile.Stored divisors) {
        if (divisors.type() != GgufType.F32 || divisors.shape().size() != 1) {
            throw ModelException.unsupported(
                    "rope_freqs.weight must be F32 of one dimension: %s %s"
                            .formatted(divisors.type(), divisors.shape()));
        }
        ArrayNode list = JsonNodeFactory.instance.arrayNode();
        for (long i = 0; i < divisors.shape().getFirst(); i++) {
            float divisor = divisors.data().get(F32, i * 4);
            if (!(divisor > 0 && divisor <= MAX_FACTOR)) {
                throw ModelException.invalid(
                        "rope_freqs.weight[%d] must be in (0, %s]: %s"
                                .formatted(i, MAX_FACTOR, divisor));
            }
            list.add(divisor);
        }
        ObjectNode scaling = JsonNodeFactory.instance.objectNode();
        scaling.put("rope_type", "longrope");
        scaling.set("short_factor", list);
        scaling.set("long_factor", list);
        scaling.put("attention_factor", 1);
        scaling.put(
                "original_max_position_embeddings",
                keys.integer("context_length", 1, ModelConfig.MAX_POSITIONS));
        return scaling;
    }
}
