package io.cortado.bench.conformance;

import io.cortado.text.AddedTokenMatch;
import io.cortado.text.PreTokenization;
import io.cortado.text.Tokenizer;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * The text files of llama.cpp: {@code NAME.inp} with texts, {@code NAME.out} with their ids.
 *
 * <p>Where the suite has the vocabulary, or the one that its first ids are taken from, the ids are
 * judged by it: an id beyond it must stand for two or more of its tokens. Where it has none, the
 * words are judged: the same word must have the same ids everywhere.
 */
record LlamaCppTexts(String name, List<String> texts, List<int[]> ids, Path folder) {
    private static final String BORDER = "\n__ggml_vocab_test__\n";

    static LlamaCppTexts read(Path file) throws IOException {
        Path folder = VocabSuite.folder(file);
        String name = VocabFiles.plainName(file).replaceFirst("\\.(inp|out)$", "");
        String input = text(folder.resolve(name + ".inp"));
        String output = text(folder.resolve(name + ".out"));
        List<String> texts = List.of(input.split(BORDER, -1));
        List<int[]> ids = output.lines().map(VocabSuite::ints).toList();
        return new LlamaCppTexts(name, texts, ids, folder);
    }

    private static String text(Path file) throws IOException {
        return new String(JsonLines.bytes(file), StandardCharsets.UTF_8);
    }

    void judge(int limit, Tally tally) throws IOException {
        int rows = Math.min(limit, ids.size());
        // The last text has a border behind it as well.
        if (texts.size() != ids.size() && texts.size() != ids.size() + 1) {
            tally.wrong(name + ": texts=" + texts.size() + " rows of ids=" + ids.size());
            return;
        }
        List<VocabFiles.Vocabulary> vocabularies = VocabFiles.forLlamaCpp(name, folder);
        for (VocabFiles.Vocabulary vocabulary : vocabularies) {
            byVocabulary(vocabulary, rows, tally);
        }
        if (vocabularies.isEmpty()) {
            new WordLedger(PreTokenization.named(name)).judge(this, rows, tally);
        }
    }

    private void byVocabulary(VocabFiles.Vocabulary vocabulary, int rows, Tally tally)
            throws IOException {
        Tokenizer tokenizer = vocabulary.open(name);
        var longer = new HashMap<Integer, int[]>();
        for (int i = 0; i < rows; i++) {
            String text = texts.get(i);
            int[] own = tokenizer.encode(text, false, AddedTokenMatch.NONE);
            if (coarsens(ids.get(i), 0, own, 0, tokenizer.vocabSize(), longer)) {
                tally.right();
            } else {
                tally.wrong(
                        name
                                + " by "
                                + vocabulary.name()
                                + ", text "
                                + i
                                + ": expected "
                                + Arrays.toString(ids.get(i))
                                + " but was "
                                + Arrays.toString(own));
            }
        }
    }

    /**
     * Whether {@code expected} from {@code e} on is {@code own} from {@code o} on with some runs
     * joined into ids that the vocabulary does not have, the same run for the same id everywhere.
     */
    private static boolean coarsens(
            int[] expected, int e, int[] own, int o, int size, Map<Integer, int[]> longer) {
        int i = e;
        int j = o;
        while (i < expected.length && j < own.length && expected[i] < size) {
            if (expected[i++] != own[j++]) {
                return false;
            }
        }
        if (i == expected.length || j == own.length) {
            return i == expected.length && j == own.length;
        }
        int[] known = longer.get(expected[i]);
        for (int n = known == null ? 2 : known.length;
                n <= own.length - j && (known == null || n == known.length);
                n++) {
            int[] run = Arrays.copyOfRange(own, j, j + n);
            if (known != null && !Arrays.equals(known, run)) {
                return false;
            }
            if (known == null) {
                longer.put(expected[i], run);
            }
            if (coarsens(expected, i + 1, own, j + n, size, longer)) {
                return true;
            }
            if (known == null) {
                longer.remove(expected[i]);
            }
        }
        return false;
    }
}
