package io.cortado.demo;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.function.UnaryOperator;

/**
 * The bundled demo model: Qwen3 form, about 5 M parameters, trained on a synthetic corpus. An
 * honest toy: it shows an engine, it is not to be judged by its answers. Beside it two that draft
 * for it in speculative decoding, a smaller model and an EAGLE-3 head, and one with experts.
 */
public final class DemoModel {

    /** The name that the server gives the model. */
    public static final String NAME = "cortado-demo";

    private static final List<String> TEXT_FILES =
            List.of(
                    "generation_config.json",
                    "tokenizer.json",
                    "tokenizer_config.json",
                    "chat_template.jinja");
    private static final List<String> MODEL_FILES =
            List.of("config.json", "golden.json", "model.safetensors");

    private static final List<String> BUNDLED =
            List.of("demo", "demo-draft", "demo-moe", "demo-eagle3");

    private DemoModel() {}

    /**
     * Writes the model's files into {@code folder} (created if absent), where they are not there
     * already in the right size.
     *
     * @return {@code folder}
     */
    public static Path unpack(Path folder) throws IOException {
        unpack("", TEXT_FILES, folder);
        return unpack("", MODEL_FILES, folder);
    }

    /**
     * The same for the draft model: 0.8 M parameters, the same form and vocabulary.
     *
     * @return {@code folder}
     */
    public static Path unpackDraft(Path folder) throws IOException {
        unpack("", TEXT_FILES, folder);
        return unpack("draft/", MODEL_FILES, folder);
    }

    /**
     * The same for the EAGLE-3 head: 1.3 M parameters, a draft vocabulary of 1,024 ids. It has no
     * tokenizer: it drafts for the demo model alone.
     *
     * @return {@code folder}
     */
    public static Path unpackEagle3(Path folder) throws IOException {
        return unpack("eagle3/", MODEL_FILES, folder);
    }

    /**
     * The same for the model with experts: Qwen3-MoE form, 5.6 M parameters, 8 experts of which a
     * token takes 2, the same vocabulary.
     *
     * @return {@code folder}
     */
    public static Path unpackMoe(Path folder) throws IOException {
        unpack("", TEXT_FILES, folder);
        return unpack("moe/", MODEL_FILES, folder);
    }

    /** Whether this names a bundled model or head: nothing else of that name is there. */
    public static boolean isBundled(Path model) {
        return BUNDLED.contains(model.toString()) && !Files.exists(model);
    }

    /**
     * A bundled model by its name, unpacked; any other path as it is.
     *
     * @param cache where a model of a name is unpacked
     */
    public static Path find(Path model, UnaryOperator<Path> cache) throws IOException {
        return isBundled(model) ? unpackNamed(model.toString(), cache.apply(model)) : model;
    }

    /**
     * The same for a bundled model by its name.
     *
     * @return {@code folder}
     */
    public static Path unpackNamed(String name, Path folder) throws IOException {
        return switch (name) {
            case "demo" -> unpack(folder);
            case "demo-draft" -> unpackDraft(folder);
            case "demo-moe" -> unpackMoe(folder);
            case "demo-eagle3" -> unpackEagle3(folder);
            default ->
                    throw new IllegalArgumentException(
                            "name must be one of " + BUNDLED + ": name=" + name);
        };
    }

    private static Path unpack(String from, List<String> names, Path folder) throws IOException {
        Files.createDirectories(folder);
        for (String name : names) {
            unpack(from + name, folder.resolve(name));
        }
        return folder;
    }

    private static void unpack(String name, Path target) throws IOException {
        try (InputStream in = DemoModel.class.getResourceAsStream(name)) {
            if (in == null) {
                throw new IOException(
                        "the demo model's file is missing from its jar: name=" + name);
            }
            byte[] bytes = in.readAllBytes();
            if (Files.isRegularFile(target) && Files.size(target) == bytes.length) {
                return;
            }
            Path part =
                    Files.createTempFile(
                            target.getParent(), target.getFileName().toString(), ".part");
            Files.write(part, bytes);
            Files.move(
                    part,
                    target,
                    StandardCopyOption.ATOMIC_MOVE,
                    StandardCopyOption.REPLACE_EXISTING);
        }
    }
}
