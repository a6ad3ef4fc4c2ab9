package io.cortado.model;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.function.IntPredicate;
import org.jspecify.annotations.Nullable;

/** Which layers see a sliding window, and how far. */
final class Windows {
    private static final int MAX_WINDOW = ModelConfig.MAX_POSITIONS;

    private Windows() {}

    /** A family without windows: {@code layer_types} may only say so. */
    static List<Integer> none(ConfigJson c, int layers) {
        List<Integer> windows = Collections.nCopies(layers, 0);
        return byLayerTypes(c, layers, 0, windows);
    }

    /** Mistral: a window that is given holds on every layer. */
    static List<Integer> everywhere(ConfigJson c, int layers) {
        int window = c.integer("sliding_window", 1, MAX_WINDOW, 0);
        return byLayerTypes(c, layers, window, Collections.nCopies(layers, window));
    }

    /** Qwen: only if asked for, and then from layer {@code max_window_layers} on. */
    static List<Integer> upperLayers(ConfigJson c, int layers) {
        boolean used = c.flag("use_sliding_window", false);
        int given = c.integer("sliding_window", 1, MAX_WINDOW, 0);
        int first = c.integer("max_window_layers", 0, 1 << 16, 28);
        return some(c, layers, used ? given : 0, layer -> layer >= first);
    }

    /** The layers that the family's rule names, unless {@code layer_types} says otherwise. */
    static List<Integer> some(ConfigJson c, int layers, int window, IntPredicate isSliding) {
        List<Integer> windows = new ArrayList<>();
        for (int layer = 0; layer < layers; layer++) {
            windows.add(isSliding.test(layer) ? window : 0);
        }
        return byLayerTypes(c, layers, window, windows);
    }

    /** {@code layer_types}, where given, decides over the rule of the family. */
    private static List<Integer> byLayerTypes(
            ConfigJson c, int layers, int window, List<Integer> otherwise) {
        @Nullable List<String> types = c.texts("layer_types");
        if (types == null) {
            return otherwise;
        }
        if (types.size() != layers) {
            throw ModelException.invalid(
                    "%s: layer_types must have num_hidden_layers=%d entries: %d"
                            .formatted(c.where(), layers, types.size()));
        }
        List<Integer> windows = new ArrayList<>();
        for (String type : types) {
            boolean sliding = type.equals("sliding_attention");
            boolean known = sliding ? window > 0 : type.equals("full_attention");
            if (!known) {
                throw ModelException.unsupported(
                        c.where() + ": layer_types asks for " + type + ", unsupported here");
            }
            windows.add(sliding ? window : 0);
        }
        return windows;
    }
}
