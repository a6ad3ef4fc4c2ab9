package io.cortado.model;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;

/**
 * What can be said about a model's folder from its names alone, before a file is read: what is
 * missing, all in one error, and what is refused.
 */
public final class FolderCheck {
    private static final int MAX_ENTRIES = 100_000;
    private static final String SINGLE = "model.safetensors";
    private static final String INDEX = "model.safetensors.index.json";

    /** Formats that are Python's pickle, alone or in a zip: reading one runs what it says. */
    private static final Set<String> PICKLES = Set.of("bin", "pt", "pth", "ckpt", "pkl", "pickle");

    /** Endings of the files that are read from a model's folder. */
    private static final Set<String> READ =
            Set.of("json", "safetensors", "gguf", "jinja", "model", "txt", "tiktoken");

    private final Path folder;
    private final Set<String> names = new TreeSet<>();

    private FolderCheck(Path folder) {
        this.folder = folder;
    }

    /**
     * Refuses a folder that cannot be loaded.
     *
     * @param needsWeights false for random weights
     */
    public static void require(Path folder, boolean needsWeights) {
        if (!Files.isDirectory(folder)) {
            throw ModelException.invalid("there is no folder " + folder);
        }
        var check = new FolderCheck(folder);
        try {
            check.list();
            check.requireFiles(needsWeights);
            check.requireInside(folder);
            Path templates = folder.resolve("additional_chat_templates");
            if (Files.isDirectory(templates)) {
                check.requireInside(templates);
            }
        } catch (IOException e) {
            throw ModelException.invalid("cannot read " + folder + ": " + e, e);
        }
    }

    private void list() throws IOException {
        try (DirectoryStream<Path> entries = Files.newDirectoryStream(folder)) {
            for (Path entry : entries) {
                names.add(String.valueOf(entry.getFileName()));
                if (names.size() > MAX_ENTRIES) {
                    throw ModelException.invalid(
                            folder + " has more than " + MAX_ENTRIES + " entries");
                }
            }
        }
    }

    private void requireFiles(boolean needsWeights) {
        List<String> missing = new ArrayList<>();
        if (!has("config.json")) {
            missing.add("config.json");
        }
        boolean hasWeights = has(SINGLE) || has(INDEX);
        List<String> pickles =
                names.stream().filter(name -> PICKLES.contains(ending(name))).toList();
        if (needsWeights && !hasWeights && !pickles.isEmpty()) {
            throw ModelException.unsupported(
                    ("%s has its weights as pickle (%s), which is refused because reading it"
                                    + " runs code: convert them to safetensors")
                            .formatted(folder, String.join(", ", pickles)));
        }
        if (needsWeights && !hasWeights) {
            missing.add(SINGLE + " (or " + INDEX + " with its shards)");
        } else if (needsWeights && !has(SINGLE)) {
            for (String shard : ShardIndex.read(folder.resolve(INDEX)).missing()) {
                missing.add(shard + " (named by " + INDEX + ")");
            }
        }
        if (!missing.isEmpty()) {
            throw ModelException.invalid(
                    folder
                            + " lacks files: missing="
                            + missing
                            + ", present="
                            + names.stream().limit(20).toList());
        }
    }

    /** A link into a cache whose blob was never fetched is no file. */
    private boolean has(String name) {
        return Files.isRegularFile(folder.resolve(name));
    }

    private static String ending(String name) {
        return name.substring(name.lastIndexOf('.') + 1);
    }

    /** A link may lead to the same folder, or to the blobs of the cache that the folder lies in. */
    private void requireInside(Path where) throws IOException {
        Path home = folder.toRealPath();
        Path model = ModelFolder.modelOf(home);
        Path cache = model == null ? null : model.getParent();
        try (DirectoryStream<Path> entries = Files.newDirectoryStream(where)) {
            for (Path entry : entries) {
                if (!READ.contains(ending(String.valueOf(entry.getFileName())))
                        || !Files.exists(entry)) {
                    continue;
                }
                Path target = entry.toRealPath();
                boolean isBlob = cache != null && target.startsWith(cache) && isBlob(cache, target);
                if (!target.startsWith(home) && !isBlob) {
                    throw ModelException.invalid(
                            entry + " is a link that leaves the model's folder: target=" + target);
                }
            }
        }
    }

    /** {@code models--ORG--NAME/blobs/HASH}. */
    private static boolean isBlob(Path cache, Path target) {
        Path inside = cache.relativize(target);
        return inside.getNameCount() == 3
                && inside.getName(0).toString().startsWith("models--")
                && inside.getName(1).toString().equals("blobs");
    }
}
