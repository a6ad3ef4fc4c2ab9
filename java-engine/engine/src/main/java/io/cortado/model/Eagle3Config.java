package io.cortado.model;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/**
 * What the {@code config.json} of an EAGLE-3 head says, checked against the model that it drafts
 * for (Li et al. 2025, arXiv 2503.01840): a decoder layer of Llama's form that reads the embedding
 * of the next token beside three hidden states of its target.
 */
public final class Eagle3Config {
    private static final Set<String> ARCHITECTURES =
            Set.of("LlamaForCausalLMEagle3", "Eagle3LlamaForCausalLM");
    private static final String LAYER_IDS = "eagle_aux_hidden_state_layer_ids";

    private final DecoderShape shape;
    private final int vocabSize;
    private final int targetHiddenSize;
    private final List<Integer> layerIds;

    private Eagle3Config(ConfigJson config, ModelConfig target) {
        requireArchitecture(config);
        config.requireOneOf("model_type", "llama");
        config.requireNumber("num_hidden_layers", 1);
        config.requireNothing("quantization_config");
        config.require("tie_word_embeddings", false);
        config.require("norm_before_residual", false);
        config.require("logit_scale", 1);
        config.integer("max_position_embeddings", 1, ModelConfig.MAX_POSITIONS, 1);
        targetHiddenSize = target.hiddenSize();
        requireOfTarget(config, "vocab_size", target.vocabSize());
        vocabSize = target.vocabSize();
        requireOfTarget(config, "target_hidden_size", targetHiddenSize);
        shape = shape(config);
        layerIds = layerIds(config, target.numLayers());
        config.ignore(ModelConfig.HARMLESS);
        config.refuseWhatNobodyUnderstood();
        if (shape.vocabSize() > vocabSize) {
            throw ModelException.invalid(
                    "%s: draft_vocab_size must be at most vocab_size=%d: %d"
                            .formatted(config.where(), vocabSize, shape.vocabSize()));
        }
    }

    /** True if the folder's {@code config.json} names an EAGLE-3 head. */
    public static boolean isHead(Path folder) {
        Path file = folder.resolve("config.json");
        if (!Files.isRegularFile(file)) {
            return false;
        }
        JsonNode names = JsonFile.object(file, ModelConfig.MAX_BYTES).path("architectures");
        return names.isArray() && ARCHITECTURES.contains(names.path(0).asString(""));
    }

    /**
     * @param folder the head's
     * @param target the model that it drafts for
     */
    public static Eagle3Config read(Path folder, ModelConfig target) {
        Path file = folder.resolve("config.json");
        if (!Files.isRegularFile(file)) {
            throw ModelException.invalid("there is no " + file);
        }
        JsonNode root = JsonFile.object(file, ModelConfig.MAX_BYTES);
        return new Eagle3Config(new ConfigJson(file.toString(), root), target);
    }

    private static void requireArchitecture(ConfigJson config) {
        List<String> names = config.texts("architectures");
        if (names == null || names.size() != 1 || !ARCHITECTURES.contains(names.getFirst())) {
            throw ModelException.unsupported(
                    "%s: architectures must be one of %s for an EAGLE-3 head: %s"
                            .formatted(config.where(), ARCHITECTURES, names));
        }
    }

    private static void requireOfTarget(ConfigJson config, String key, int wanted) {
        int value = config.integer(key, 1, 1 << 24, wanted);
        if (value != wanted) {
            throw ModelException.unsupported(
                    "%s: %s must be the target's %d: %s=%d"
                            .formatted(config.where(), key, wanted, key, value));
        }
    }

    private static DecoderShape shape(ConfigJson config) {
        boolean attentionBias = config.flag("attention_bias", false);
        boolean hasDraftVocabulary = config.has("draft_vocab_size");
        DecoderShape shape =
                new ShapeBuilder(config)
                        .vocabulary(hasDraftVocabulary ? "draft_vocab_size" : "vocab_size")
                        .biases(attentionBias, attentionBias, config.flag("mlp_bias", false))
                        .build();
        if (shape.layers().getFirst().rope().scaling() instanceof Rope.Long) {
            throw ModelException.unsupported(
                    config.where() + ": long rope is not supported for a draft head");
        }
        return shape;
    }

    /**
     * At the top level ids are those of layers whose input is meant; in {@code eagle_config} they
     * count outputs of layers, one less. Both spellings are published, also side by side.
     */
    private static List<Integer> layerIds(ConfigJson config, int numLayers) {
        ConfigJson nested = config.object("eagle_config");
        List<Integer> inputs = null;
        if (nested != null) {
            nested.require("use_aux_hidden_state", true);
            nested.require("use_input_layernorm_in_first_layer", true);
            nested.require("use_last_layernorm", true);
            nested.require("use_mtp_layernorm", false);
            inputs = ids(nested, 1, numLayers);
            nested.refuseWhatNobodyUnderstood();
        }
        List<Integer> top = ids(config, 0, numLayers);
        if (top != null) {
            return top;
        }
        if (inputs != null) {
            return inputs;
        }
        if (numLayers < 7) { // fewer, and they would not be three
            throw ModelException.invalid(
                    "%s has no %s, and a target of %d layers has no default ones"
                            .formatted(config.where(), LAYER_IDS, numLayers));
        }
        return List.of(2, numLayers / 2, numLayers - 3);
    }

    private static @Nullable List<Integer> ids(ConfigJson config, int added, int numLayers) {
        if (!config.has(LAYER_IDS)) {
            return null;
        }
        return config.numbers(LAYER_IDS, 0, numLayers - (double) added).stream()
                .map(id -> wholeNumber(config, id) + added)
                .toList();
    }

    private static int wholeNumber(ConfigJson config, double id) {
        if (id != Math.rint(id)) {
            throw ModelException.invalid(
                    config.where() + ": " + LAYER_IDS + " must hold whole numbers: " + id);
        }
        return (int) id;
    }

    /** What to ask the target for: {@link CausalLm#keepStates}. */
    public List<Integer> layerIds() {
        return layerIds;
    }

    /** Ids of its own that the head gives logits for. */
    public int draftVocabSize() {
        return shape.vocabSize();
    }

    /** Bytes that its keys and values add to each block of 16 tokens of the target's cache. */
    public long kvBytesPerBlock(Activations activations, KvType kvType) {
        return shape.kvBytesPerBlock(kvType.dtype(activations));
    }

    /** The target's. */
    int vocabSize() {
        return vocabSize;
    }

    /** Columns of what the target keeps of a token. */
    int keptSize() {
        return layerIds.size() * targetHiddenSize;
    }

    int targetHiddenSize() {
        return targetHiddenSize;
    }

    /** Of the one layer, and the draft vocabulary. */
    DecoderShape shape() {
        return shape;
    }
}
