package io.cortado.bench.kernels;

import io.cortado.device.Buffer;
import io.cortado.device.DType;
import io.cortado.device.ExpertWeights;
import io.cortado.device.MoeActivation;
import io.cortado.device.MoeCombineParams;
import io.cortado.device.MoeKernels;
import io.cortado.device.MoeParams;
import io.cortado.device.MoeRouteParams;
import io.cortado.device.MoeScores;
import io.cortado.device.Probe;
import io.cortado.device.WeightFormat;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Locale;

/**
 * The experts of a layer of Qwen3-30B-A3B (hidden size 2048, intermediate 768, 8 chosen), 32 of its
 * 128. Routed by random logits, bf16 activations.
 */
final class MoeCases {
    private static final int EXPERTS = 32;
    private static final int TOP_K = 8;
    private static final int HIDDEN = 2048;
    private static final int INNER = 768;

    private MoeCases() {}

    static List<KernelCase> all() {
        List<KernelCase> all = new ArrayList<>();
        for (WeightFormat format : List.of(WeightFormat.BF16, WeightFormat.Q8_0)) {
            for (int tokens : new int[] {1, 8, 32, 512}) {
                all.add(layer("moe_", format, tokens));
            }
        }
        for (int tokens : new int[] {32, 512}) {
            all.add(
                    new KernelCase("moe_around_t" + tokens, bed -> around(bed, tokens))
                            .against(layer("moe_layer_", WeightFormat.BF16, tokens)));
        }
        return all;
    }

    private static KernelCase layer(String prefix, WeightFormat format, int tokens) {
        String name = prefix + format.name().toLowerCase(Locale.ROOT) + "_t" + tokens;
        return new KernelCase(
                name,
                bed -> {
                    Layer layer = new Layer(bed, tokens);
                    ExpertWeights experts = bed.experts(EXPERTS, HIDDEN, INNER, format);
                    Buffer workspace = bed.zeros(experts.workspaceBytes(layer.params));
                    return new KernelWork(
                            layer.meanChosen() * experts.bytes(0) + layer.activationBytes(),
                            6L * tokens * TOP_K * HIDDEN * INNER,
                            Probe.BF16_FLOPS,
                            layer.variants,
                            i -> {
                                layer.before(i);
                                layer.products(experts, workspace);
                                layer.after();
                            });
                });
    }

    /** Routing, plan and combination: what a layer does besides the products. */
    private static KernelWork around(KernelBed bed, int tokens) {
        Layer layer = new Layer(bed, tokens);
        return new KernelWork(
                layer.activationBytes(),
                0,
                Probe.F32_FLOPS,
                layer.variants,
                i -> {
                    layer.before(i);
                    layer.after();
                });
    }

    /** The buffers around the experts; a variant has its own logits. */
    private static final class Layer {
        private final KernelBed bed;
        private final int tokens;
        private final int variants;
        private final float[][] values;
        private final Buffer[] logits;
        private final Buffer ids;
        private final Buffer weights;
        private final Buffer counts;
        private final Buffer plan;
        private final Buffer x;
        private final Buffer y;
        private final Buffer out;
        private final MoeRouteParams route;
        private final MoeParams params;
        private final MoeCombineParams combine;

        Layer(KernelBed bed, int tokens) {
            this.bed = bed;
            this.tokens = tokens;
            variants = tokens < EXPERTS ? 8 : 1;
            values = new float[variants][tokens * EXPERTS];
            logits = new Buffer[variants];
            for (int v = 0; v < variants; v++) {
                for (int i = 0; i < values[v].length; i++) {
                    values[v][i] = (float) bed.random().nextDouble(-4, 4);
                }
                logits[v] = bed.floats(values[v]);
            }
            ids = bed.zeros(4L * tokens * TOP_K);
            weights = bed.zeros(4L * tokens * TOP_K);
            counts = bed.zeros(8L * EXPERTS);
            plan = bed.zeros(MoeKernels.planBytes(bed.device(), tokens, TOP_K, EXPERTS));
            x = bed.randoms((long) tokens * HIDDEN, DType.BF16);
            y = bed.zeros(4L * tokens * TOP_K * HIDDEN);
            out = bed.zeros(2L * tokens * HIDDEN);
            route =
                    new MoeRouteParams(bed.device())
                            .numTokens(tokens)
                            .logitsStride(EXPERTS)
                            .experts(EXPERTS, TOP_K)
                            .scores(MoeScores.SOFTMAX)
                            .weights(true, 1);
            params =
                    new MoeParams(bed.device())
                            .numTokens(tokens)
                            .strides(HIDDEN, HIDDEN)
                            .topK(TOP_K)
                            .dtypes(DType.BF16, DType.F32)
                            .activation(MoeActivation.SILU);
            combine =
                    new MoeCombineParams(bed.device())
                            .numTokens(tokens)
                            .cols(HIDDEN)
                            .strides(HIDDEN, HIDDEN, HIDDEN)
                            .experts(EXPERTS, TOP_K)
                            .dtypes(DType.BF16, DType.F32, DType.BF16);
        }

        void before(int variant) {
            MoeKernels.route(
                    ids, weights, counts, logits[variant], null, null, route, bed.stream());
            MoeKernels.plan(plan, ids, tokens, TOP_K, EXPERTS, bed.stream());
        }

        void products(ExpertWeights experts, Buffer workspace) {
            MoeKernels.experts(
                    y, x, plan, experts, null, null, null, workspace, params, bed.stream());
        }

        void after() {
            MoeKernels.combine(out, y, ids, weights, null, null, null, combine, bed.stream());
        }

        /** Of x, what is between the products, y (written and read) and out. */
        long activationBytes() {
            return 2L * tokens * HIDDEN
                    + 2L * 2 * tokens * TOP_K * INNER
                    + 2L * 4 * tokens * TOP_K * HIDDEN
                    + 2L * tokens * HIDDEN;
        }

        /** Experts that a variant's tokens choose, on average. */
        long meanChosen() {
            long chosen = 0;
            for (float[] own : values) {
                BitSet experts = new BitSet(EXPERTS);
                for (int t = 0; t < tokens; t++) {
                    markChosen(experts, own, t * EXPERTS);
                }
                chosen += experts.cardinality();
            }
            return chosen / variants;
        }

        private static void markChosen(BitSet chosen, float[] logits, int row) {
            for (int e = 0; e < EXPERTS; e++) {
                int better = 0;
                for (int other = 0; other < EXPERTS; other++) {
                    better += logits[row + other] > logits[row + e] ? 1 : 0;
                }
                if (better < TOP_K) {
                    chosen.set(e);
                }
            }
        }
    }
}
