package io.cortado.model;

import io.cortado.device.MoeActivation;
import io.cortado.device.MoeScores;
import io.cortado.moe.ExpertShape;
import io.cortado.moe.Routing;
import java.util.Set;

/** Reads what the families with experts name alike. */
final class ExpertReader {
    private static final int MAX_EXPERTS = 512;

    private ExpertReader() {}

    /** {@code num_experts}, or the name that transformers 5 has for it, or both alike. */
    static int count(ConfigJson c, String key) {
        String other = "num_local_experts";
        int count = c.integer(c.has(key) ? key : other, 1, MAX_EXPERTS);
        if (c.integer(other, 1, MAX_EXPERTS, count) != count) {
            throw ModelException.unsupported(
                    "%s: %s contradicts %s".formatted(c.where(), other, key));
        }
        // How the router was trained, and whether its logits are handed out.
        c.ignore(
                Set.of(
                        "router_aux_loss_coef",
                        "aux_loss_alpha",
                        "seq_aux",
                        "router_jitter_noise",
                        "output_router_logits"));
        return count;
    }

    static int topK(ConfigJson c, int numExperts) {
        return c.integer("num_experts_per_tok", 1, numExperts);
    }

    static Routing routing(ConfigJson c, String countKey, MoeScores scores, boolean renormalize) {
        int count = count(c, countKey);
        return Routing.of(count, topK(c, count), scores, renormalize);
    }

    /** Without shared experts, SiLU between gate and up, by the usual names. */
    static DecoderShape.Experts plain(
            ConfigJson c, int hiddenSize, Routing routing, String innerKey, ExpertNames names) {
        ExpertShape shape =
                ExpertShape.of(routing, hiddenSize, innerSize(c, innerKey), MoeActivation.SILU);
        return new DecoderShape.Experts(shape, 0, false, names);
    }

    static int innerSize(ConfigJson c, String key) {
        return c.integer(key, 1, 1 << 20);
    }
}
