package io.cortado.model;

import io.cortado.device.MoeScores;
import io.cortado.device.NormKind;

/** Mixtral: Mistral whose MLPs are all mixtures of experts. */
final class Mixtral {
    /** w1 is the gate and w3 is up. */
    static final ExpertNames NAMES =
            new ExpertNames(
                    "block_sparse_moe.",
                    "gate",
                    "w1",
                    "w3",
                    "w2",
                    "shared_expert",
                    ExpertNames.Fused.HALVES);

    private Mixtral() {}

    static DecoderShape shape(ConfigJson c) {
        ShapeBuilder shape = new ShapeBuilder(c);
        var routing = ExpertReader.routing(c, "num_local_experts", MoeScores.SOFTMAX, true);
        return shape.windows(Windows.everywhere(c, shape.numLayers()))
                .norm(NormKind.RMS, "rms_norm_eps", 1e-5)
                .experts(
                        ExpertReader.plain(
                                c, shape.hiddenSize(), routing, "intermediate_size", NAMES),
                        layer -> true)
                .build();
    }
}
