package io.cortado.bench.scale;

import java.util.List;

/**
 * The shape of a mixture of experts; every layer is taken for one.
 *
 * @param attention parameters of a layer's attention
 * @param pairFlops operations of a layer for a token and a token that it attends to
 * @param kvValues keys and values that a token leaves in a layer
 * @param kvHeads that can be split over GPUs
 * @param shared rows of the expert that all tokens take; 0: there is none
 * @param weightBytes of a parameter
 */
public record MoeModel(
        String name,
        int layers,
        int hidden,
        double attention,
        double pairFlops,
        int kvValues,
        int kvHeads,
        int experts,
        int chosen,
        int intermediate,
        int shared,
        int vocabulary,
        int weightBytes) {
    private static final int KV_BYTES = 2;
    private static final int ACTIVATION_BYTES = 2;

    /** Of the three shapes that are compared. */
    public static List<MoeModel> all() {
        return List.of(
                grouped("Qwen3-30B-A3B", 48, 2048, 32, 4, 128, 8, 768, 151_936),
                grouped("Mixtral 8x22B", 56, 6144, 48, 8, 8, 2, 16_384, 32_768),
                deepSeekV3());
    }

    private static MoeModel grouped(
            String name,
            int layers,
            int hidden,
            int heads,
            int kvHeads,
            int experts,
            int chosen,
            int intermediate,
            int vocabulary) {
        int width = 128;
        double attention = 2.0 * hidden * width * (heads + kvHeads);
        return new MoeModel(
                name,
                layers,
                hidden,
                attention,
                4.0 * heads * width,
                2 * kvHeads * width,
                kvHeads,
                experts,
                chosen,
                intermediate,
                0,
                vocabulary,
                2);
    }

    /** Latent attention: 512 values and 64 of the position a token, 128 heads that share them. */
    private static MoeModel deepSeekV3() {
        int hidden = 7168;
        int heads = 128;
        int latent = 512;
        int rope = 64;
        double attention =
                hidden * 1536.0
                        + 1536.0 * heads * 192
                        + hidden * (double) (latent + rope)
                        + latent * (double) heads * 256
                        + heads * 128.0 * hidden;
        return new MoeModel(
                "DeepSeek-V3",
                61,
                hidden,
                attention,
                2.0 * heads * (latent + rope + latent),
                latent + rope,
                1,
                256,
                8,
                2048,
                2048,
                129_280,
                1);
    }

    double expertParameters() {
        return 3.0 * hidden * intermediate;
    }

    double sharedParameters() {
        return 3.0 * hidden * shared;
    }

    /** Of the vocabulary's two matrices, in bf16. */
    double vocabularyBytes() {
        return 2.0 * ACTIVATION_BYTES * vocabulary * hidden;
    }

    double kvBytesPerLayer() {
        return (double) KV_BYTES * kvValues;
    }

    /** Of a token's row, as it is sent to experts: 8-bit where the weights are. */
    double sentBytes() {
        return (double) hidden * weightBytes;
    }

    /** Of a token's row, as it comes back. */
    double returnedBytes() {
        return (double) hidden * ACTIVATION_BYTES;
    }

    /** Of so many experts, how many at least one of the tokens chooses, where each is as likely. */
    double touched(double held, double tokens) {
        return held * (1 - Math.pow(1 - (double) chosen / experts, tokens));
    }

    /** On how many of so many ranks a token has an expert, where all are as likely. */
    double destinations(int ranks) {
        return ranks * (1 - Math.pow(1 - 1.0 / ranks, chosen));
    }
}
