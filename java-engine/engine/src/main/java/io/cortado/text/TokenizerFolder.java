package io.cortado.text;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * Finds the tokenizer of a model's folder: {@code tokenizer.json}, else {@code tokenizer.model}
 * (SentencePiece or tiktoken), else a tiktoken file, else {@code vocab.json} with {@code
 * merges.txt}.
 */
final class TokenizerFolder {
    private static final String LOOKED_FOR =
            "tokenizer.json, tokenizer.model, tiktoken.model, *.tiktoken, vocab.json with merges.txt";

    private TokenizerFolder() {}

    /** Whether there is any of the files that {@link #open} looks for. */
    static boolean holdsTokenizer(Path folder) throws IOException {
        return Files.isDirectory(folder)
                && (Stream.of("tokenizer.json", "tokenizer.model", "vocab.json", "merges.txt")
                                .anyMatch(name -> Files.exists(folder.resolve(name)))
                        || tiktoken(folder) != null);
    }

    static Tokenizer open(Path folder) throws IOException {
        Path json = folder.resolve("tokenizer.json");
        if (Files.exists(json)) {
            return TokenizerFile.parse(bytes(json, TokenizerFile.MAX_FILE_BYTES));
        }
        Path model = folder.resolve("tokenizer.model");
        Path ranks = Files.exists(model) ? model : tiktoken(folder);
        if (ranks != null) {
            return parse(
                    bytes(ranks, TokenizerFile.MAX_FILE_BYTES),
                    String.valueOf(ranks.getFileName()),
                    TokenizerConfig.read(folder));
        }
        Path vocabulary = folder.resolve("vocab.json");
        Path merges = folder.resolve("merges.txt");
        if (Files.exists(vocabulary) != Files.exists(merges)) {
            throw new NoSuchFileException(
                    String.valueOf(Files.exists(merges) ? vocabulary : merges),
                    null,
                    "vocab.json and merges.txt go together and one is missing");
        }
        if (!Files.exists(vocabulary)) {
            throw new NoSuchFileException(
                    folder.toString(), null, "no tokenizer; looked for " + LOOKED_FOR);
        }
        return VocabularyAndMerges.read(
                bytes(vocabulary, TokenizerFile.MAX_FILE_BYTES),
                bytes(merges, TokenizerFile.MAX_FILE_BYTES),
                TokenizerConfig.read(folder));
    }

    /** A file that is no {@code tokenizer.json} by its content. */
    private static Tokenizer parse(byte[] content, String name, TokenizerConfig config) {
        if (TiktokenFile.matches(content)) {
            return TiktokenTokenizer.read(content, name, config);
        }
        return SentencePieceFamily.read(content, config);
    }

    private static @Nullable Path tiktoken(Path folder) throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            List<Path> found =
                    files.filter(
                                    file -> {
                                        String name = String.valueOf(file.getFileName());
                                        return name.equals("tiktoken.model")
                                                || name.endsWith(".tiktoken");
                                    })
                            .sorted()
                            .toList();
            if (found.size() > 1) {
                throw new TokenizerFormatException(
                        "folder holds more than one tiktoken file: files=" + found);
            }
            return found.isEmpty() ? null : found.getFirst();
        }
    }

    /** The content of a file that must not be larger than {@code limit}. */
    static byte[] bytes(Path file, int limit) throws IOException {
        try (InputStream in = Files.newInputStream(file)) {
            byte[] content = in.readNBytes(limit);
            if (in.read() >= 0) {
                throw new TokenizerFormatException(
                        "tokenizer file too large: "
                                + file
                                + " bytes="
                                + Files.size(file)
                                + " limit="
                                + limit);
            }
            return content;
        }
    }
}
