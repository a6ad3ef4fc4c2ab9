package io.cortado.model;

import io.cortado.device.MoeActivation;
import io.cortado.device.MoeScores;
import io.cortado.device.RopeStyle;
import io.cortado.moe.ExpertShape;
import io.cortado.moe.Routing;
import java.util.Set;

/**
 * DeepSeek V2 and V3: latent attention, dense layers first, then experts, some of them shared, of
 * the best groups.
 */
final class Deepseek {
    private static final ExpertNames NAMES = ExpertNames.USUAL.sharedExpert("shared_experts");

    /** {@code ct_paged_attention}'s widest key whose value lies in it, and that value. */
    private static final int MAX_KEY = 576;

    private static final int MAX_RANK = 512;

    private Deepseek() {}

    static DecoderShape v2(ConfigJson c) {
        c.requireOneOf("topk_method", "greedy", "group_limited_greedy");
        c.requireOneOf("scoring_func", "softmax");
        // The published code would leave the scale out then; no published file asks for it.
        c.require("norm_topk_prob", false);
        int count = ExpertReader.count(c, "n_routed_experts");
        boolean hasGroups = "group_limited_greedy".equals(c.text("topk_method"));
        boolean isGrouped = c.has("n_group") && c.has("topk_group");
        Routing.Groups groups = isGrouped ? groups(c, count, false) : Routing.Groups.NONE;
        return shape(
                c,
                new Routing(
                        count,
                        ExpertReader.topK(c, count),
                        MoeScores.SOFTMAX,
                        hasGroups ? groups : Routing.Groups.NONE,
                        false,
                        (float) c.number("routed_scaling_factor", 1e-6, 1e6, 1),
                        false,
                        false));
    }

    static DecoderShape v3(ConfigJson c) {
        c.requireOneOf("topk_method", "noaux_tc");
        c.requireOneOf("scoring_func", "sigmoid");
        int count = ExpertReader.count(c, "n_routed_experts");
        return shape(
                c,
                new Routing(
                        count,
                        ExpertReader.topK(c, count),
                        MoeScores.SIGMOID,
                        groups(c, count, true),
                        c.flag("norm_topk_prob", true),
                        (float) c.number("routed_scaling_factor", 1e-6, 1e6),
                        false,
                        true));
    }

    private static Routing.Groups groups(ConfigJson c, int numExperts, boolean byBestTwo) {
        int count = c.integer("n_group", 1, numExperts);
        int top = c.integer("topk_group", 1, count);
        if (numExperts % count != 0) {
            throw ModelException.invalid(
                    "%s: n_group must divide n_routed_experts: %d, %d"
                            .formatted(c.where(), count, numExperts));
        }
        return count == 1 ? Routing.Groups.NONE : new Routing.Groups(count, top, byBestTwo);
    }

    private static DecoderShape shape(ConfigJson c, Routing routing) {
        DecoderShape.Latent latent = latent(c);
        ShapeBuilder shape = new ShapeBuilder(c, latent);
        c.require("attention_bias", false);
        c.require("moe_layer_freq", 1);
        c.ignore(Set.of("ep_size"));
        int firstSparse = c.integer("first_k_dense_replace", 0, shape.numLayers());
        Rope rope = rope(c, latent);
        return shape.rope(rope)
                .attentionScale(scoreFactor(rope) / Math.sqrt(latent.queryDim()))
                .experts(experts(c, shape, routing), layer -> layer >= firstSparse)
                .draftLayers(c.integer("num_nextn_predict_layers", 0, 16, 0))
                .build();
    }

    private static DecoderShape.Latent latent(ConfigJson c) {
        int queryRank = c.integer("q_lora_rank", 1, 1 << 16, 0);
        int rank = c.integer("kv_lora_rank", 1, 1 << 16);
        int nope = c.integer("qk_nope_head_dim", 1, 1 << 12);
        int rope = c.integer("qk_rope_head_dim", 1, 1 << 12);
        int value = c.integer("v_head_dim", 1, 1 << 12);
        boolean areWhole = rank % 16 == 0 && nope % 16 == 0 && rope % 16 == 0 && value % 16 == 0;
        if (!areWhole || rank > MAX_RANK || rope > 256 || rank + rope > MAX_KEY) {
            throw ModelException.unsupported(
                    ("%s: kv_lora_rank (at most %d, with qk_rope_head_dim %d), qk_nope_head_dim,"
                                    + " qk_rope_head_dim (at most 256) and v_head_dim must be multiples of"
                                    + " 16: %d, %d, %d, %d")
                            .formatted(c.where(), MAX_RANK, MAX_KEY, rank, nope, rope, value));
        }
        // What transformers 5 writes beside them.
        c.integer("head_dim", rope, rope, rope);
        c.integer("qk_head_dim", nope + rope, nope + rope, nope + rope);
        return new DecoderShape.Latent(queryRank, rank, nope, rope, value);
    }

    private static Rope rope(ConfigJson c, DecoderShape.Latent latent) {
        boolean areNeighbours = c.flag("rope_interleave", true);
        return RopeReader.of(latent.ropeDim())
                .style(areNeighbours ? RopeStyle.NEIGHBOURS : RopeStyle.HALVES)
                .read(c);
    }

    /** What stretching multiplies the scores with. */
    private static double scoreFactor(Rope rope) {
        if (!(rope.scaling() instanceof Rope.Yarn yarn) || yarn.mscaleAllDim() == 0) {
            return 1;
        }
        double mscale = RopeReader.mscale(yarn.factor(), yarn.mscaleAllDim());
        return mscale * mscale;
    }

    private static DecoderShape.Experts experts(ConfigJson c, ShapeBuilder shape, Routing routing) {
        int inner = ExpertReader.innerSize(c, "moe_intermediate_size");
        int shared = c.integer("n_shared_experts", 0, 1024, 0);
        ExpertShape experts =
                ExpertShape.of(routing, shape.hiddenSize(), inner, MoeActivation.SILU);
        return new DecoderShape.Experts(experts, Math.multiplyExact(shared, inner), false, NAMES);
    }
}
