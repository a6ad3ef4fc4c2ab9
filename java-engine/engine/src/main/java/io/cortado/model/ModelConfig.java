package io.cortado.model;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.JsonNodeFactory;

/** What {@code config.json} and {@code generation_config.json} say, checked. */
public final class ModelConfig {
    static final int MAX_POSITIONS = 1 << 24;
    static final long MAX_BYTES = 16L << 20;

    /** Keys that training, generation or tools wrote and that do not change the arithmetic. */
    static final Set<String> HARMLESS =
            Set.of(
                    ("architectures model_type torch_dtype dtype transformers_version use_cache"
                                    + " initializer_range bos_token_id pad_token_id eos_token_id sep_token_id"
                                    + " unk_token_id cls_token_id decoder_start_token_id attention_dropout"
                                    + " hidden_dropout resid_pdrop embd_pdrop pretraining_tp id2label label2id"
                                    + " num_labels problem_type task_specific_params finetuning_task"
                                    + " return_dict chunk_size_feed_forward tokenizer_class auto_map"
                                    + " temperature top_k top_p typical_p repetition_penalty length_penalty"
                                    + " no_repeat_ngram_size num_beams num_beam_groups num_return_sequences"
                                    + " min_length max_length max_new_tokens do_sample diversity_penalty"
                                    + " encoder_no_repeat_ngram_size prefix name_or_path model_max_length"
                                    + " unsloth_version unsloth_fixed max_window_layers use_return_dict"
                                    + " torchscript output_attentions output_hidden_states use_bfloat16"
                                    + " attn_implementation cache_implementation")
                            .split(" "));

    private final String modelType;
    private final String architecture;
    private final DecoderShape shape;
    private final int maxPositions;
    private final List<Integer> endTokenIds;
    private final GenerationDefaults generation;
    private final @Nullable Quantization quantization;
    private final List<Integer> matryoshkaDimensions;
    private final boolean isMatryoshka;
    private final DecoderShape whole;

    private ModelConfig(ConfigJson config, ConfigJson generation) {
        modelType = requireText(config, "model_type");
        architecture = architecture(config);
        shape = shape(config);
        whole = shape;
        int positions = config.integer("max_position_embeddings", 1, MAX_POSITIONS);
        quantization = Quantization.read(config, modelType);
        maxPositions = stretched(positions);
        Set<Integer> ends = new LinkedHashSet<>(config.ids("eos_token_id", shape.vocabSize()));
        ends.addAll(generation.ids("eos_token_id", shape.vocabSize()));
        endTokenIds = List.copyOf(new ArrayList<>(ends));
        this.generation = GenerationDefaults.read(generation);
        refuseScales(config);
        matryoshkaDimensions = config.ids("matryoshka_dimensions", shape.hiddenSize() + 1);
        isMatryoshka = config.flag("is_matryoshka", false) || !matryoshkaDimensions.isEmpty();
        config.ignore(HARMLESS);
        config.refuseWhatNobodyUnderstood();
    }

    private ModelConfig(ModelConfig of, Shard shard) {
        modelType = of.modelType;
        architecture = of.architecture;
        whole = of.whole;
        shape = ShardShape.of(whole, shard);
        maxPositions = of.maxPositions;
        endTokenIds = of.endTokenIds;
        generation = of.generation;
        quantization = of.quantization;
        matryoshkaDimensions = of.matryoshkaDimensions;
        isMatryoshka = of.isMatryoshka;
    }

    /**
     * What a rank has of the model.
     *
     * @throws ModelException if the model cannot be split so
     */
    public ModelConfig shard(Shard shard) {
        return new ModelConfig(this, shard);
    }

    /** Reads a model's folder, its {@code config.json}, or a GGUF file. */
    public static ModelConfig read(Path folder) {
        if (GgufModel.isGguf(folder)) {
            try (GgufModel model = GgufModel.open(folder)) {
                return new ModelConfig(
                        new ConfigJson(folder.toString(), model.config()),
                        new ConfigJson(folder.toString(), model.generation()));
            }
        }
        Path file = Files.isDirectory(folder) ? folder.resolve("config.json") : folder;
        if (!Files.isRegularFile(file)) {
            throw ModelException.invalid("there is no " + file);
        }
        ConfigJson config = new ConfigJson(file.toString(), JsonFile.object(file, MAX_BYTES));
        Path generation = file.resolveSibling("generation_config.json");
        JsonNode defaults =
                Files.isRegularFile(generation)
                        ? JsonFile.object(generation, MAX_BYTES)
                        : JsonNodeFactory.instance.objectNode();
        return new ModelConfig(config, new ConfigJson(generation.toString(), defaults));
    }

    private DecoderShape shape(ConfigJson config) {
        return switch (modelType) {
            case "cohere2" -> Cohere2.shape(config);
            case "deepseek_v2" -> Deepseek.v2(config);
            case "deepseek_v3" -> Deepseek.v3(config);
            case "gemma2" -> Gemma2.shape(config);
            case "gemma3_text" -> Gemma3.shape(config);
            case "glm" -> Glm.shape(config);
            case "glm4" -> Glm.withOutputNorms(config);
            case "gpt_oss" -> GptOss.shape(config);
            case "granite" -> Granite.shape(config);
            case "llama" -> Llama.shape(config);
            case "mistral" -> Mistral.shape(config);
            case "mixtral" -> Mixtral.shape(config);
            case "olmo2" -> Olmo2.shape(config);
            case "olmoe" -> Olmoe.shape(config);
            case "phi3" -> Phi3.shape(config);
            case "qwen2" -> Qwen2.shape(config);
            case "qwen2_moe" -> Qwen2.withExperts(config);
            case "qwen3" -> Qwen3.shape(config);
            case "qwen3_moe" -> Qwen3.withExperts(config);
            case "smollm3" -> SmolLm3.shape(config);
            default ->
                    throw ModelException.unsupported(
                            config.where()
                                    + ": model_type must be cohere2, deepseek_v2, deepseek_v3,"
                                    + " gemma2, gemma3_text, glm, glm4, gpt_oss, granite, llama, mistral, mixtral, olmo2,"
                                    + " olmoe, phi3, qwen2, qwen2_moe, qwen3, qwen3_moe or smollm3"
                                    + " here: model_type="
                                    + modelType);
        };
    }

    private static String requireText(ConfigJson config, String key) {
        String value = config.text(key);
        if (value == null) {
            throw ModelException.invalid(config.where() + " has no " + key);
        }
        return value;
    }

    private String architecture(ConfigJson config) {
        List<String> names = config.texts("architectures");
        if (names == null || names.isEmpty()) {
            return modelType;
        }
        if (!names.getFirst().endsWith("ForCausalLM")) {
            throw ModelException.unsupported(
                    config.where() + ": architectures must name a ...ForCausalLM: " + names);
        }
        return names.getFirst();
    }

    /** Published YaRN recipes leave max_position_embeddings at the original length. */
    private int stretched(int positions) {
        double longest = positions;
        for (DecoderShape.Layer layer : shape.layers()) {
            if (layer.rope().scaling() instanceof Rope.Yarn yarn) {
                longest = Math.max(longest, yarn.originalPositions() * yarn.factor());
            }
        }
        return (int) Math.min(MAX_POSITIONS, longest);
    }

    /** Multipliers that the family does not have: fine where they change nothing. */
    private static void refuseScales(ConfigJson config) {
        for (String key :
                List.of(
                        "residual_multiplier",
                        "embedding_multiplier",
                        "logits_scaling",
                        "logit_scale")) {
            if (!config.isUnderstood(key)) {
                config.require(key, 1);
            }
        }
    }

    /** All that decides what is computed, in words that are the same on every machine. */
    public String describe() {
        return architecture + " " + whole + " " + maxPositions;
    }

    /** The first of {@code architectures}. */
    public String architecture() {
        return architecture;
    }

    /** Longest sequence, in tokens. */
    public int maxPositions() {
        return maxPositions;
    }

    /**
     * All tokens of a sequence that is longer than this rotate by other angles than those of a
     * shorter one (long rope). No sequence is where one set of angles serves all.
     */
    public int otherAnglesAbove() {
        int above = maxPositions;
        for (DecoderShape.Layer layer : shape.layers()) {
            if (layer.rope().scaling() instanceof Rope.Long both) {
                above = Math.min(above, both.originalPositions());
            }
        }
        return above;
    }

    public int vocabSize() {
        return shape.vocabSize();
    }

    /** Dimensions of a hidden state. */
    public int hiddenSize() {
        return shape.hiddenSize();
    }

    /** True if the first dimensions of an embedding are an embedding too. */
    public boolean isMatryoshka() {
        return isMatryoshka;
    }

    /** The numbers of first dimensions that the model was trained for; empty: any. */
    public List<Integer> matryoshkaDimensions() {
        return List.copyOf(matryoshkaDimensions);
    }

    public int numLayers() {
        return shape.numLayers();
    }

    /** Layers behind those, in the same files, that predict further tokens. */
    public int numDraftLayers() {
        return shape.numDraftLayers();
    }

    /** Ids that end a generation, of both files. */
    public List<Integer> endTokenIds() {
        return endTokenIds;
    }

    public GenerationDefaults generation() {
        return generation;
    }

    public long numParameters() {
        return shape.numParameters();
    }

    /**
     * Bytes of a block of 16 tokens in the KV cache, keys and values of all layers: what the cache
     * is sized by.
     */
    public long kvBytesPerBlock(Activations activations, KvType kvType) {
        return shape.kvBytesPerBlock(kvType.dtype(activations));
    }

    /** Of a folder's matrices; null: none. */
    @Nullable Quantization quantization() {
        return quantization;
    }

    public boolean hasExperts() {
        return shape.experts() != null;
    }

    /** Which rank's part this is. */
    public Shard shard() {
        return shape.shard();
    }

    DecoderShape shape() {
        return shape;
    }

    /** Of all ranks together. */
    DecoderShape whole() {
        return whole;
    }
}
