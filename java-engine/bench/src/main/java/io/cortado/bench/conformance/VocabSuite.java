package io.cortado.bench.conformance;

import io.cortado.text.AddedTokenMatch;
import io.cortado.text.Tokenizer;
import io.cortado.text.UnsupportedTokenizerException;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * {@code conformance vocab}: real vocabularies, by the texts with ids that others published for
 * them: jtokkit's tables, llama.cpp's text files, and each vocabulary's own tokens.
 */
public final class VocabSuite implements Suite {
    private static final int MAX_PRINTED = 10;
    private static final String TABLE = ".encodings.csv";
    private static final int MAX_TOKENS = 10;

    @Override
    public String name() {
        return "vocab";
    }

    @Override
    public Report run(Path path, SuiteOptions options, PrintStream out) throws IOException {
        var all = new Tally();
        for (Path file : SuiteFiles.under(path, VocabSuite::isSuiteFile)) {
            Report group = group(file, options);
            group.printGroup(out, MAX_PRINTED);
            all.add(group);
        }
        Report report = all.report(name());
        report.printResult(out);
        return report;
    }

    private static boolean isSuiteFile(Path file) {
        String name = VocabFiles.plainName(file);
        return name.endsWith(TABLE) || name.endsWith(".inp") || VocabFiles.isVocabulary(file);
    }

    private static Report group(Path file, SuiteOptions options) throws IOException {
        String name = VocabFiles.plainName(file);
        var tally = new Tally();
        try {
            if (name.endsWith(TABLE)) {
                table(file, options, tally);
            } else if (name.endsWith(".inp") || name.endsWith(".out")) {
                LlamaCppTexts.read(file).judge(options.limit(), tally);
            } else if (VocabFiles.isVocabulary(file)) {
                tokens(VocabFiles.vocabulary(file), tally);
            }
        } catch (UnsupportedTokenizerException e) {
            tally.refused(name + ": " + e.getMessage());
        }
        return tally.report(name);
    }

    private static void table(Path file, SuiteOptions options, Tally tally) throws IOException {
        String name = VocabFiles.plainName(file).replace(TABLE, "");
        Path folder = folder(file);
        String text = new String(JsonLines.bytes(file), StandardCharsets.UTF_8);
        List<List<String>> rows = CsvTable.parse(text);
        VocabFiles.Vocabulary vocabulary = VocabFiles.named(name, folder);
        if (vocabulary == null) {
            tally.refused(name + ": its vocabulary is not beside it", rows.size() - 1);
            return;
        }
        Tokenizer tokenizer = vocabulary.open();
        for (List<String> row : rows.stream().skip(1).limit(options.limit()).toList()) {
            String input = row.getFirst();
            int[] ids = tokenizer.encode(input, false, AddedTokenMatch.NONE);
            String failure = failure(tokenizer, input, ids, row);
            if (failure == null) {
                tally.right();
            } else {
                tally.wrong(failure);
            }
        }
    }

    private static @Nullable String failure(
            Tokenizer tokenizer, String input, int[] ids, List<String> row) {
        if (!Arrays.equals(ints(row.get(1)), ids)) {
            return "\"" + input + "\": expected " + row.get(1) + " but was " + Arrays.toString(ids);
        }
        if (!tokenizer.decode(ids, false).equals(input)) {
            return "\"" + input + "\" decoded: " + tokenizer.decode(ids, false);
        }
        int[] first = firstWhole(tokenizer, ids, input);
        if (row.size() > 2 && !Arrays.equals(ints(row.get(2)), first)) {
            return "\""
                    + input
                    + "\" first ten: expected "
                    + row.get(2)
                    + " but was "
                    + Arrays.toString(first);
        }
        return null;
    }

    /** As many of the first ten tokens as end with a whole character. */
    private static int[] firstWhole(Tokenizer tokenizer, int[] ids, String text) {
        int n = Math.min(MAX_TOKENS, ids.length);
        while (n > 0 && !text.startsWith(tokenizer.decode(Arrays.copyOf(ids, n), false))) {
            n--;
        }
        return Arrays.copyOf(ids, n);
    }

    /** Each token of a vocabulary's file stands for its bytes, and its text comes back whole. */
    private static void tokens(VocabFiles.Vocabulary vocabulary, Tally tally) throws IOException {
        Tokenizer tokenizer = vocabulary.open();
        if (vocabulary.isTiktoken()) {
            String content =
                    new String(JsonLines.bytes(vocabulary.file()), StandardCharsets.US_ASCII);
            for (String line : content.lines().toList()) {
                String[] parts = line.split(" ");
                byte[] bytes = Base64.getDecoder().decode(parts[0]);
                int id = Integer.parseInt(parts[1]);
                if (!Arrays.equals(bytes, tokenizer.tokenBytes(id))) {
                    tally.wrong("bytes of token id=" + id);
                    return;
                }
            }
        }
        for (int id = 0; id < tokenizer.vocabSize(); id++) {
            byte[] bytes = tokenizer.tokenBytes(id);
            String text = new String(bytes, StandardCharsets.UTF_8);
            boolean isText = Arrays.equals(text.getBytes(StandardCharsets.UTF_8), bytes);
            int[] ids = isText ? tokenizer.encode(text, false, AddedTokenMatch.NONE) : new int[0];
            if (isText && !sameBytes(tokenizer, ids, bytes)) {
                tally.wrong("token id=" + id + " comes back as " + Arrays.toString(ids));
                return;
            }
        }
        tally.right();
    }

    /** Whether the ids' bytes are those, or their NFC where the tokenizer composes. */
    private static boolean sameBytes(Tokenizer tokenizer, int[] ids, byte[] bytes) {
        String decoded = tokenizer.decode(ids, false);
        String text = new String(bytes, StandardCharsets.UTF_8);
        return decoded.equals(text)
                || decoded.equals(
                        java.text.Normalizer.normalize(text, java.text.Normalizer.Form.NFC));
    }

    static Path folder(Path file) {
        Path folder = file.toAbsolutePath().getParent();
        return folder == null ? Path.of("") : folder;
    }

    /** Numbers between brackets or blanks. */
    static int[] ints(String list) {
        return Arrays.stream(list.split("[^0-9]+"))
                .filter(s -> !s.isEmpty())
                .mapToInt(Integer::parseInt)
                .toArray();
    }
}
