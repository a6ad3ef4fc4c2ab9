package io.cortado.device;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * Where NVIDIA's own libraries lie. No Maven artifact carries them, so they are looked for in this
 * order: the folders that the system property {@code cortado.cuda.path} names, CUDA_HOME and
 * CUDA_PATH, the usual CUDA folders, the {@code nvidia} packages of Python, LD_LIBRARY_PATH.
 */
final class VendorLibraries {
    private static final List<String> INSIDE_CUDA =
            List.of("lib64", "lib", "targets/x86_64-linux/lib");
    private static final List<String> USUAL =
            List.of(
                    "usr/local/cuda/lib64",
                    "usr/local/cuda/targets/x86_64-linux/lib",
                    "opt/cuda/lib64",
                    "usr/lib/x86_64-linux-gnu",
                    "usr/lib64");
    private static final List<String> PYTHON_PREFIXES =
            List.of("usr/local", "usr", "opt/conda", "opt/venv");

    private final Set<Path> folders = new LinkedHashSet<>();

    /**
     * @param configured folders separated by colons
     * @param root of the file system; another one in tests
     */
    VendorLibraries(@Nullable String configured, Map<String, String> environment, Path root) {
        addAll(configured);
        for (String home : new String[] {"CUDA_HOME", "CUDA_PATH"}) {
            String folder = environment.get(home);
            if (folder != null && !folder.isEmpty()) {
                INSIDE_CUDA.forEach(inside -> folders.add(Path.of(folder, inside)));
            }
        }
        USUAL.forEach(usual -> folders.add(root.resolve(usual)));
        for (Path prefix : pythonPrefixes(environment, root)) {
            addPython(prefix);
        }
        addAll(environment.get("LD_LIBRARY_PATH"));
    }

    /** The machine's. */
    static VendorLibraries ofMachine() {
        return new VendorLibraries(
                System.getProperty("cortado.cuda.path"), System.getenv(), Path.of("/"));
    }

    /** The first folder's file of that name. */
    Optional<Path> find(String fileName) {
        return folders.stream()
                .map(folder -> folder.resolve(fileName))
                .filter(Files::isRegularFile)
                .findFirst();
    }

    /** Where it looks, for who is told that there is nothing. */
    String describe() {
        return folders.stream().map(Path::toString).collect(Collectors.joining(":"));
    }

    private void addAll(@Nullable String paths) {
        if (paths != null) {
            for (String path : paths.split(":", -1)) {
                if (!path.isEmpty()) {
                    folders.add(Path.of(path));
                }
            }
        }
    }

    private static List<Path> pythonPrefixes(Map<String, String> environment, Path root) {
        List<Path> prefixes = new ArrayList<>();
        for (String variable : new String[] {"VIRTUAL_ENV", "CONDA_PREFIX"}) {
            String folder = environment.get(variable);
            if (folder != null && !folder.isEmpty()) {
                prefixes.add(Path.of(folder));
            }
        }
        String home = environment.get("HOME");
        if (home != null && !home.isEmpty()) {
            prefixes.add(Path.of(home, ".local"));
        }
        PYTHON_PREFIXES.forEach(prefix -> prefixes.add(root.resolve(prefix)));
        return prefixes;
    }

    /** PREFIX/lib/python3.N/{site,dist}-packages/nvidia/NAME/lib. */
    private void addPython(Path prefix) {
        for (Path python : matches(prefix.resolve("lib"), "python3*")) {
            for (String packages : new String[] {"site-packages", "dist-packages"}) {
                for (Path vendor : matches(python.resolve(packages).resolve("nvidia"), "*")) {
                    folders.add(vendor.resolve("lib"));
                }
            }
        }
    }

    private static List<Path> matches(Path folder, String glob) {
        List<Path> found = new ArrayList<>();
        if (!Files.isDirectory(folder)) {
            return found;
        }
        try (DirectoryStream<Path> entries = Files.newDirectoryStream(folder, glob)) {
            entries.forEach(found::add);
        } catch (IOException unreadable) { // as good as absent
            return List.of();
        }
        found.sort(null);
        return found;
    }
}
