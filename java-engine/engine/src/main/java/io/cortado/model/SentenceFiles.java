package io.cortado.model;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/**
 * What the files of sentence-transformers say of a checkpoint: {@code modules.json} lists the steps
 * after the decoder, the folder of its pooling step has a {@code config.json}, and {@code
 * sentence_bert_config.json} bounds the input. Their prompts ({@code
 * config_sentence_transformers.json}) are the caller's to add.
 *
 * @param poolingModes the modes that are on, without {@code pooling_mode_}; several are
 *     concatenated there; null: no file names a pooling
 * @param normalizes the last step divides by the L2 norm; true also where no modules.json is
 * @param width dimensions that the pooling expects; 0: not said
 * @param maxTokens longest input; 0: not said
 * @param others what else is asked for, in words
 */
public record SentenceFiles(
        @Nullable List<String> poolingModes,
        boolean normalizes,
        int width,
        int maxTokens,
        List<String> others) {
    private static final long MAX_BYTES = 1L << 20;
    private static final String MODE = "pooling_mode_";

    /** Reads what is there; a folder without any of the files is an ordinary checkpoint. */
    public static SentenceFiles read(Path folder) {
        List<String> others = new ArrayList<>();
        Path modules = folder.resolve("modules.json");
        Path pooling = folder.resolve("1_Pooling");
        boolean normalizes = true;
        if (Files.isRegularFile(modules)) {
            normalizes = false;
            pooling = null;
            for (JsonNode module : JsonFile.array(modules, MAX_BYTES)) {
                String type = module.path("type").asString("");
                switch (type.substring(type.lastIndexOf('.') + 1)) {
                    case "Transformer" -> {}
                    case "Normalize" -> normalizes = true;
                    case "Pooling" -> pooling = inside(folder, modules, module);
                    default -> others.add("modules.json has a step that is not built: " + type);
                }
            }
        }
        Path bounds = folder.resolve("sentence_bert_config.json");
        int maxTokens = 0;
        if (Files.isRegularFile(bounds)) {
            ConfigJson config =
                    new ConfigJson(bounds.toString(), JsonFile.object(bounds, MAX_BYTES));
            maxTokens = config.integer("max_seq_length", 1, ModelConfig.MAX_POSITIONS, 0);
            if (config.flag("do_lower_case", false)) {
                others.add("sentence_bert_config.json has do_lower_case, which is not built");
            }
        }
        Path file = pooling == null ? null : pooling.resolve("config.json");
        if (file == null || !Files.isRegularFile(file)) {
            return new SentenceFiles(null, normalizes, 0, maxTokens, others);
        }
        JsonNode root = JsonFile.object(file, MAX_BYTES);
        int width =
                new ConfigJson(file.toString(), root)
                        .integer("word_embedding_dimension", 1, Integer.MAX_VALUE, 0);
        return new SentenceFiles(modes(root), normalizes, width, maxTokens, others);
    }

    /** The step's own folder, which must lie in the model's. */
    private static Path inside(Path folder, Path modules, JsonNode module) {
        String name = module.path("path").asString("");
        if (!name.matches("[A-Za-z0-9][A-Za-z0-9._-]*")) {
            throw ModelException.invalid(
                    modules + ": the path of a step must be a folder's name: path=" + name);
        }
        return folder.resolve(name);
    }

    private static List<String> modes(JsonNode pooling) {
        List<String> modes = new ArrayList<>();
        JsonNode named = pooling.path("pooling_mode");
        if (named.isString()) {
            modes.add(named.stringValue());
        }
        for (Map.Entry<String, JsonNode> entry : pooling.properties()) {
            if (entry.getKey().startsWith(MODE) && entry.getValue().booleanValue(false)) {
                modes.add(entry.getKey().substring(MODE.length()));
            }
        }
        return modes;
    }
}
