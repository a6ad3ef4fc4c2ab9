package io.cortado.bench.conformance;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;
import java.util.stream.Stream;

/** Finds the files of a suite under a path. */
final class SuiteFiles {
    private SuiteFiles() {}

    /** The path itself if it is a file, else the files of a kind in it and below, in order. */
    static List<Path> under(Path path, Predicate<Path> isSuiteFile) throws IOException {
        if (Files.isRegularFile(path)) {
            return List.of(path);
        }
        var files = new ArrayList<Path>();
        try (Stream<Path> children = Files.list(path)) {
            for (Path child : children.sorted().toList()) {
                if (Files.isDirectory(child)) {
                    files.addAll(under(child, isSuiteFile));
                } else if (isSuiteFile.test(child)) {
                    files.add(child);
                }
            }
        }
        return files;
    }
}
