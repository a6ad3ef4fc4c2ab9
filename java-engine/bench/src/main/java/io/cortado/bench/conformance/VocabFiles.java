package io.cortado.bench.conformance;

import io.cortado.text.PreTokenization;
import io.cortado.text.Tokenizer;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** Finds the vocabularies of the suite, gzipped or plain, beside the texts that judge them. */
final class VocabFiles {
    private static final String TIKTOKEN = ".tiktoken";
    private static final String JSON = ".tokenizer.json";

    /** Whose vocabulary llama.cpp's text files are about, where the name does not say it. */
    private static final Map<String, List<String>> LLAMA_CPP =
            Map.of(
                    "gpt-2", List.of("r50k_base", "gpt2"),
                    "qwen2", List.of("qwen"),
                    "qwen35", List.of("qwen"),
                    "llama-bpe", List.of("cl100k_base"));

    private VocabFiles() {}

    /** A vocabulary's file with its name. */
    record Vocabulary(String name, Path file) {
        boolean isTiktoken() {
            return plainName(file).endsWith(TIKTOKEN);
        }

        Tokenizer open() throws IOException {
            byte[] content = JsonLines.bytes(file);
            return isTiktoken() ? Tokenizer.parseTiktoken(content, name) : Tokenizer.parse(content);
        }

        /**
         * Of a tiktoken file's first ranks only, which are a vocabulary of their own: a rank is
         * made of those before it.
         */
        Tokenizer openFirst(int numRanks) throws IOException {
            if (!isTiktoken()) {
                throw new IOException("only a tiktoken file's ranks can be cut: file=" + file);
            }
            String content = new String(JsonLines.bytes(file), StandardCharsets.US_ASCII);
            String cut =
                    content.lines()
                            .filter(line -> !line.isBlank() && rank(line) < numRanks)
                            .collect(Collectors.joining("\n"));
            return Tokenizer.parseTiktoken(
                    cut.getBytes(StandardCharsets.US_ASCII), PreTokenization.named("gpt-4o"));
        }

        private static int rank(String line) {
            return Integer.parseInt(line.substring(line.indexOf(' ') + 1).strip());
        }

        /** With words cut as llama.cpp's pre-tokenizer of that name cuts them. */
        Tokenizer open(String preTokenizer) throws IOException {
            return isTiktoken()
                    ? Tokenizer.parseTiktoken(
                            JsonLines.bytes(file), PreTokenization.named(preTokenizer))
                    : open();
        }
    }

    static boolean isVocabulary(Path file) {
        String name = plainName(file);
        return name.endsWith(TIKTOKEN) || name.endsWith(JSON);
    }

    static Vocabulary vocabulary(Path file) {
        return new Vocabulary(plainName(file).replace(TIKTOKEN, "").replace(JSON, ""), file);
    }

    /** The vocabulary called {@code name} in the folder, or null. */
    static @Nullable Vocabulary named(String name, Path folder) throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.filter(VocabFiles::isVocabulary)
                    .map(VocabFiles::vocabulary)
                    .filter(v -> v.name().equals(name))
                    .findFirst()
                    .orElse(null);
        }
    }

    /** The vocabularies for a text file of llama.cpp: in its folder or the one above. */
    static List<Vocabulary> forLlamaCpp(String name, Path folder) throws IOException {
        var names =
                Stream.concat(Stream.of(name), LLAMA_CPP.getOrDefault(name, List.of()).stream());
        var found = new java.util.ArrayList<Vocabulary>();
        for (String one : names.toList()) {
            Path parent = folder.toAbsolutePath().getParent();
            Vocabulary here = named(one, folder);
            Vocabulary vocabulary = here == null && parent != null ? named(one, parent) : here;
            if (vocabulary != null) {
                found.add(vocabulary);
            }
        }
        return found;
    }

    /** The file's name without .gz. */
    static String plainName(Path file) {
        return String.valueOf(file.getFileName()).replaceFirst("\\.gz$", "");
    }
}
