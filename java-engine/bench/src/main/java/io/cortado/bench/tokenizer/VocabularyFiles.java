package io.cortado.bench.tokenizer;

import io.cortado.text.Tokenizer;
import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.zip.GZIPInputStream;

/**
 * The real vocabularies that the benchmark loads, from a folder of the shared suites.
 *
 * @param content the file's bytes, a tiktoken file or a {@code tokenizer.json}
 * @param pattern how its words are cut, in the spelling that all peers understand
 */
public record VocabularyFiles(String name, byte[] content, boolean isTiktoken, String pattern) {
    private static final String CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
    private static final String TAIL = "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
    private static final String GPT2 =
            "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";
    private static final String UPPER =
            "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]";
    private static final String LOWER = "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]";

    /** Those of the known five that the folder has. */
    public static List<VocabularyFiles> in(Path folder) throws IOException {
        var found = new ArrayList<VocabularyFiles>();
        add(
                found,
                "o200k",
                folder.resolve("o200k_base.tiktoken.gz"),
                UPPER
                        + "*"
                        + LOWER
                        + "+"
                        + CONTRACTIONS
                        + "?|"
                        + UPPER
                        + "+"
                        + LOWER
                        + "*"
                        + CONTRACTIONS
                        + "?|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*"
                        + TAIL);
        add(found, "cl100k", folder.resolve("cl100k_base.tiktoken.gz"), cl100k("{1,3}"));
        add(found, "qwen", folder.resolve("qwen.tiktoken.gz"), cl100k(""));
        add(found, "r50k", folder.resolve("r50k_base.tiktoken.gz"), GPT2);
        add(found, "gpt2", folder.resolve("gpt2.tokenizer.json.gz"), GPT2);
        return found;
    }

    private static String cl100k(String digits) {
        return CONTRACTIONS
                + "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}"
                + digits
                + "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*"
                + TAIL;
    }

    private static void add(List<VocabularyFiles> found, String name, Path file, String pattern)
            throws IOException {
        if (Files.isRegularFile(file)) {
            try (InputStream in =
                    new GZIPInputStream(new BufferedInputStream(Files.newInputStream(file)))) {
                boolean isTiktoken = file.toString().contains(".tiktoken");
                found.add(new VocabularyFiles(name, in.readAllBytes(), isTiktoken, pattern));
            }
        }
    }

    /** Loads it, which is what a start of a server costs. */
    public Tokenizer load() {
        return isTiktoken ? Tokenizer.parseTiktoken(content, name) : Tokenizer.parse(content);
    }

    /** The bytes of each rank; only tiktoken files have no holes and no added tokens in between. */
    public List<byte[]> ranks(Tokenizer tokenizer) {
        var tokens = new ArrayList<byte[]>();
        for (int id = 0; id < tokenizer.vocabSize(); id++) {
            if (tokenizer.isSpecial(id) || tokenizer.tokenText(id) == null) {
                break;
            }
            tokens.add(tokenizer.tokenBytes(id));
        }
        return tokens;
    }
}
