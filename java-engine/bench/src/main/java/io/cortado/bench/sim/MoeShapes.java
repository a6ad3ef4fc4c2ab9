package io.cortado.bench.sim;

import io.cortado.bench.BenchException;
import io.cortado.layout.LayoutModel;
import java.util.List;
import java.util.Locale;

/** The mixtures of experts that layouts are compared by. */
public final class MoeShapes {
    private static final int HEAD = 128;
    private static final int BF16_BYTES = 2;

    private MoeShapes() {}

    public static List<LayoutModel> all() {
        return List.of(
                grouped("Qwen3-30B-A3B", 48, 2048, 32, 4, 128, 8, 768, 151_936),
                grouped("Mixtral 8x22B", 56, 6144, 48, 8, 8, 2, 16_384, 32_768),
                deepSeekV3());
    }

    /** By its name in lower case, anything else than letters and digits left out. */
    public static LayoutModel named(String name) {
        List<LayoutModel> all = all();
        for (LayoutModel model : all) {
            if (plain(model.name()).equals(plain(name))) {
                return model;
            }
        }
        throw new BenchException(
                "--shape must be one of %s: shape=%s"
                        .formatted(all.stream().map(LayoutModel::name).toList(), name));
    }

    /** Of a metric's name. */
    public static String metric(LayoutModel model) {
        return model.name().toLowerCase(Locale.ROOT).replaceAll("[^a-z0-9]+", "_");
    }

    private static String plain(String name) {
        return name.toLowerCase(Locale.ROOT).replaceAll("[^a-z0-9]", "");
    }

    private static LayoutModel grouped(
            String name,
            int layers,
            int hidden,
            int heads,
            int kvHeads,
            int experts,
            int chosen,
            int intermediate,
            int vocabulary) {
        return new LayoutModel(
                name,
                layers,
                0,
                hidden,
                0,
                2.0 * hidden * HEAD * (heads + kvHeads),
                4.0 * heads * HEAD,
                2.0 * BF16_BYTES * kvHeads * HEAD,
                kvHeads,
                experts,
                chosen,
                intermediate,
                0,
                vocabulary,
                BF16_BYTES,
                BF16_BYTES,
                false);
    }

    /**
     * Latent attention: 512 values and 64 of the position a token, 128 heads that share them. The
     * first three layers are dense.
     */
    private static LayoutModel deepSeekV3() {
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
        return new LayoutModel(
                "DeepSeek-V3",
                58,
                3,
                hidden,
                3.0 * hidden * 18_432,
                attention,
                2.0 * heads * (latent + rope + latent),
                (double) BF16_BYTES * (latent + rope),
                1,
                256,
                8,
                2048,
                3.0 * hidden * 2048,
                129_280,
                1,
                1,
                true);
    }
}
