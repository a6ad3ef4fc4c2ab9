package io.cortado.model;

import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** {@code quant_method} compressed-tensors: fp8 weights, and packed ones of four bits. */
final class CompressedConfig {
    private static final String SCALE = "weight_scale";

    private CompressedConfig() {}

    static Quantization read(ConfigJson c) {
        String format = c.text("format");
        c.texts("ignore");
        c.requireOneOf("quantization_status", "compressed", "frozen");
        c.ignore(Set.of("quant_method", "global_compression_ratio", "version"));
        ConfigJson groups = c.object("config_groups");
        if (groups == null) {
            throw ModelException.invalid(c.where() + " has no config_groups");
        }
        @Nullable Quantization all = null;
        for (String name : groups.keys()) {
            Quantization one = group(groups, name, format);
            if (all != null && !all.equals(one)) {
                throw ModelException.unsupported(
                        groups.where() + ": groups of different schemes are not supported");
            }
            all = one;
        }
        c.refuseWhatNobodyUnderstood();
        if (all == null) {
            throw ModelException.invalid(groups.where() + " is empty");
        }
        return all;
    }

    private static Quantization group(ConfigJson groups, String name, @Nullable String format) {
        ConfigJson group = groups.object(name);
        ConfigJson weights = group == null ? null : group.object("weights");
        if (group == null || weights == null) {
            throw ModelException.unsupported(
                    groups.where() + ": " + name + " must say how weights are quantised");
        }
        group.texts("targets");
        String own = group.text("format");
        // How a server may quantise activations, which nothing here does.
        group.ignore(Set.of("input_activations"));
        group.refuseWhatNobodyUnderstood();
        Quantization scheme = scheme(weights, String.valueOf(own == null ? format : own));
        weights.refuseWhatNobodyUnderstood();
        return scheme;
    }

    private static Quantization scheme(ConfigJson weights, String format) {
        weights.require("dynamic", false);
        // Columns are stored in order but for the actorder "group", which has g_idx as well.
        weights.requireOneOf("actorder", "weight", "static");
        weights.ignore(Set.of("observer", "observer_kwargs", "scale_dtype", "zp_dtype"));
        return switch (format) {
            case "float-quantized" -> fp8(weights);
            case "pack-quantized" -> packed(weights);
            default ->
                    throw ModelException.unsupported(
                            "%s: format must be float-quantized or pack-quantized here: format=%s"
                                    .formatted(weights.where(), format));
        };
    }

    private static Quantization fp8(ConfigJson weights) {
        weights.requireNumber("num_bits", 8);
        weights.requireOneOf("type", "float");
        weights.require("symmetric", true);
        weights.requireOneOf("strategy", "tensor", "channel", "block");
        weights.requireNothing("group_size");
        if ("block".equals(weights.text("strategy"))) {
            return Fp8Weights.byBlock(weights.positivePair("block_structure"), List.of(SCALE));
        }
        weights.requireNothing("block_structure");
        return Fp8Weights.byMatrixOrRow(List.of(SCALE));
    }

    private static Quantization packed(ConfigJson weights) {
        weights.requireNumber("num_bits", 4);
        weights.requireOneOf("type", "int");
        weights.requireOneOf("strategy", "group", "channel");
        weights.requireNothing("block_structure");
        boolean isSymmetric = weights.flag("symmetric", true);
        return new Int4Weights(
                isSymmetric
                        ? Int4Weights.Layout.COMPRESSED_SYMMETRIC
                        : Int4Weights.Layout.COMPRESSED,
                Int4Weights.groupSize(weights),
                0);
    }
}
