package io.cortado.model;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * A model in one GGUF file, or in the numbered parts of one that gguf-split made. Opening it checks
 * that every tensor the architecture needs is there in its shape; no tensor is read.
 */
public final class GgufModel implements AutoCloseable {
    private static final Pattern PART = Pattern.compile("(.*)-(\\d{5})-of-(\\d{5})\\.gguf");

    private final List<GgufFile> files = new ArrayList<>();
    private final Map<String, GgufFile.Stored> tensors = new LinkedHashMap<>();
    private final Path path;
    private @Nullable GgufContent content;

    private GgufModel(Path path) {
        this.path = path;
    }

    /** Whether a model's path is one of these, by its name. */
    public static boolean isGguf(Path path) {
        Path name = path.getFileName();
        return name != null && name.toString().endsWith(".gguf") && !Files.isDirectory(path);
    }

    public static GgufModel open(Path path) {
        GgufModel model = new GgufModel(path);
        boolean opened = false;
        try {
            model.openFiles();
            model.read();
            opened = true;
            return model;
        } finally {
            if (!opened) {
                model.close();
            }
        }
    }

    private void openFiles() {
        Matcher part = PART.matcher(String.valueOf(path.getFileName()));
        if (!part.matches()) {
            add(path);
            return;
        }
        int count = Integer.parseInt(part.group(3));
        if (Integer.parseInt(part.group(2)) != 1) {
            throw ModelException.invalid(
                    "%s is a later part of a model: name the first, %s"
                            .formatted(path, partName(part, 1)));
        }
        for (int i = 1; i <= count; i++) {
            GgufFile file = add(path.resolveSibling(partName(part, i)));
            requirePart(file, i - 1, count);
        }
    }

    private static String partName(Matcher part, int number) {
        return "%s-%05d-of-%s.gguf".formatted(part.group(1), number, part.group(3));
    }

    private static void requirePart(GgufFile file, int number, int count) {
        try {
            GgufKeys split = new GgufKeys("split", file.metadata());
            split.integer("no", number, number);
            split.integer("count", count, count);
        } catch (ModelException e) {
            throw e.at(file.path().toString());
        }
    }

    private GgufFile add(Path part) {
        GgufFile file = GgufFile.open(part);
        files.add(file);
        file.tensors()
                .forEach((name, tensor) -> {
                    if (tensors.put(name, tensor) != null) {
                        throw ModelException.invalid(
                                part + " holds " + name + ", as does another part");
                    }
                });
        return file;
    }

    private void read() {
        try {
            requireSplit(metadata());
            content = GgufContent.read(metadata(), tensors);
        } catch (ModelException e) {
            throw e.at(path.toString());
        }
    }

    private void requireSplit(GgufMetadata metadata) {
        GgufKeys split = new GgufKeys("split", metadata);
        split.integer("count", 0, files.size(), 0);
        if (files.size() > 1) {
            split.integer("tensors.count", tensors.size(), tensors.size());
        }
    }

    private GgufMetadata metadata() {
        return files.getFirst().metadata();
    }

    private GgufContent content() {
        if (content == null) {
            throw new IllegalStateException("the model is not open");
        }
        return content;
    }

    /** The configuration, in the words of {@code config.json}. */
    ObjectNode config() {
        return content().config();
    }

    /**
     * What {@code general.sampling.*} recommends, in the words of {@code generation_config.json}.
     */
    ObjectNode generation() {
        ObjectNode generation = JsonNodeFactory.instance.objectNode();
        number(generation, "temperature", "temp");
        number(generation, "top_p", "top_p");
        number(generation, "top_k", "top_k");
        number(generation, "min_p", "min_p");
        number(generation, "repetition_penalty", "penalty_repeat");
        return generation;
    }

    private void number(ObjectNode to, String name, String key) {
        Double value = metadata().number("general.sampling." + key);
        if (value != null) {
            to.put(name, value);
        }
    }

    /** Tensors by the names that Hugging Face gives them. */
    Map<String, GgufTable.Entry> table() {
        return content().table();
    }

    /** By the file's names. */
    Map<String, GgufFile.Stored> tensors() {
        return tensors;
    }

    /**
     * The keys {@code tokenizer.ggml.*} and {@code tokenizer.chat_template*}, decoded: strings,
     * numbers, bools, and lists of them.
     */
    public Map<String, Object> tokenizerKeys() {
        return metadata()
                .decoded(key ->
                        key.startsWith("tokenizer.ggml.")
                                || key.startsWith("tokenizer.chat_template"));
    }

    @Override
    public void close() {
        files.forEach(GgufFile::close);
    }
}
