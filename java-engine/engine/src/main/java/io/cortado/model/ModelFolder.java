package io.cortado.model;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;
import java.util.function.UnaryOperator;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * The folder of a model that a user names: a path, a model of a Hugging Face cache, or {@code
 * ORG/NAME} as that cache on this machine has it. Nothing is ever downloaded.
 *
 * <p>A cache holds {@code models--ORG--NAME/refs/REVISION}, a file with a commit, and {@code
 * models--ORG--NAME/snapshots/COMMIT}, a folder of links into {@code blobs}.
 */
public final class ModelFolder {
    private static final String PREFIX = "models--";
    private static final String DEFAULT_REVISION = "main";
    private static final Pattern NAME =
            Pattern.compile("[A-Za-z0-9][\\w.-]{0,95}(?:/[A-Za-z0-9][\\w.-]{0,95})?");
    private static final Pattern REVISION = Pattern.compile("[\\w.-]{1,95}(?:/[\\w.-]{1,95}){0,4}");
    private static final int MAX_REF_BYTES = 256;
    private static final int MAX_LISTED = 8;

    private ModelFolder() {}

    /**
     * The model's own folder, or the file that was named.
     *
     * @param revision branch, tag or commit in the cache; empty: main
     * @param environment values of environment variables, null where one is not set
     */
    public static Path locate(
            Path named, String revision, UnaryOperator<@Nullable String> environment) {
        if (!revision.isEmpty()
                && (!REVISION.matcher(revision).matches() || revision.contains(".."))) {
            throw ModelException.invalid(
                    "revision must be a branch, a tag or a commit: revision=" + revision);
        }
        Path folder = Files.exists(named) ? named : cached(named, environment);
        if (Files.isDirectory(folder.resolve("snapshots"))
                && !Files.exists(folder.resolve("config.json"))) {
            return snapshot(folder, revision.isEmpty() ? DEFAULT_REVISION : revision);
        }
        if (!revision.isEmpty()) {
            throw ModelException.invalid(
                    folder
                            + " is no model of a Hugging Face cache, so it has no revisions: revision="
                            + revision);
        }
        return folder;
    }

    /**
     * {@code ORG/NAME} for a snapshot of a cache, else the folder's or the GGUF file's own name.
     */
    public static String nameOf(Path folder) {
        Path absolute = folder.toAbsolutePath().normalize();
        if (GgufModel.isGguf(absolute)) {
            String file = String.valueOf(absolute.getFileName());
            return file.substring(0, file.lastIndexOf('.'));
        }
        Path model = modelOf(absolute);
        return model == null
                ? String.valueOf(absolute.getFileName())
                : String.valueOf(model.getFileName()).substring(PREFIX.length()).replace("--", "/");
    }

    /**
     * The cache's {@code models--ORG--NAME} that a snapshot belongs to, or null for other folders.
     */
    static @Nullable Path modelOf(Path folder) {
        Path snapshots = folder.getParent();
        Path model = snapshots == null ? null : snapshots.getParent();
        boolean isSnapshot =
                snapshots != null
                        && model != null
                        && snapshots.endsWith("snapshots")
                        && String.valueOf(model.getFileName()).startsWith(PREFIX);
        return isSnapshot ? model : null;
    }

    private static Path cached(Path named, UnaryOperator<@Nullable String> environment) {
        String name = named.toString();
        Path cache = cache(environment);
        Path folder = cache.resolve(PREFIX + name.replace("/", "--"));
        if (named.isAbsolute() || !NAME.matcher(name).matches() || !Files.isDirectory(folder)) {
            throw ModelException.invalid(
                    "there is no model at "
                            + named
                            + ", and none of that name in the Hugging Face cache "
                            + cache
                            + ": Cortado downloads nothing");
        }
        return folder;
    }

    private static Path cache(UnaryOperator<@Nullable String> environment) {
        String hub = environment.apply("HF_HUB_CACHE");
        if (hub != null && !hub.isBlank()) {
            return Path.of(hub);
        }
        String home = environment.apply("HF_HOME");
        if (home != null && !home.isBlank()) {
            return Path.of(home, "hub");
        }
        String xdg = environment.apply("XDG_CACHE_HOME");
        Path caches =
                xdg != null && !xdg.isBlank()
                        ? Path.of(xdg)
                        : Path.of(System.getProperty("user.home"), ".cache");
        return caches.resolve("huggingface").resolve("hub");
    }

    private static Path snapshot(Path model, String revision) {
        Path snapshots = model.resolve("snapshots");
        Path ref = model.resolve("refs").resolve(revision);
        String commit = Files.isRegularFile(ref) ? commit(ref) : revision;
        Path folder = snapshots.resolve(commit);
        if (!commit.contains("/") && Files.isDirectory(folder)) {
            return folder;
        }
        throw ModelException.invalid(
                "%s has no snapshot of revision %s: refs=%s, snapshots=%s"
                        .formatted(
                                model, revision, listed(model.resolve("refs")), listed(snapshots)));
    }

    private static String commit(Path ref) {
        try {
            String commit =
                    Files.size(ref) > MAX_REF_BYTES
                            ? ""
                            : Files.readString(ref, StandardCharsets.US_ASCII).strip();
            if (commit.matches("[\\w-]{1,95}")) {
                return commit;
            }
        } catch (IOException e) {
            throw ModelException.invalid("cannot read " + ref + ": " + e, e);
        }
        throw ModelException.invalid(ref + " must hold the name of a commit");
    }

    private static List<String> listed(Path folder) {
        var names = new TreeSet<String>();
        try (DirectoryStream<Path> entries = Files.newDirectoryStream(folder)) {
            for (Path entry : entries) {
                names.add(String.valueOf(entry.getFileName()));
            }
        } catch (IOException e) {
            return List.of();
        }
        return new ArrayList<>(names).subList(0, Math.min(MAX_LISTED, names.size()));
    }
}
