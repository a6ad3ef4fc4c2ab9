package io.cortado.engine;

import io.cortado.api.EngineException;
import io.cortado.kv.TokenSource;
import io.cortado.text.Segment;
import io.cortado.text.Tokenizer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Token sequences that an output must not hold: the last id of one is banned where the output ends
 * with the ids before it. Sequences of one id are banned everywhere.
 *
 * @param singles ids that are banned everywhere
 * @param sequences of two ids and more
 */
record BadWords(int[] singles, int[][] sequences) {
    private static final int MAX_TOKENS = 1024;

    /**
     * Each text without and with a space before it, as vLLM; also where the latter has another
     * number of tokens, which vLLM lets through. One that ends with the other is that already.
     */
    static BadWords of(List<String> words, Tokenizer tokenizer, int vocabSize) {
        List<int[]> all = new ArrayList<>();
        int tokens = 0;
        for (String word : words) {
            String bare = word.stripLeading();
            int[] first = encode(tokenizer, bare);
            int[] spaced = encode(tokenizer, " " + bare);
            tokens += add(all, first, word, vocabSize);
            if (!endsWith(spaced, first)) {
                tokens += add(all, spaced, word, vocabSize);
            }
            if (tokens > MAX_TOKENS) {
                throw EngineException.invalid(
                        "bad_words",
                        "bad_words must have at most %d tokens together: tokens=%d"
                                .formatted(MAX_TOKENS, tokens));
            }
        }
        return new BadWords(
                all.stream().filter(ids -> ids.length == 1).mapToInt(ids -> ids[0]).toArray(),
                all.stream().filter(ids -> ids.length > 1).toArray(int[][]::new));
    }

    private static boolean endsWith(int[] ids, int[] end) {
        int from = ids.length - end.length;
        return from >= 0 && Arrays.equals(ids, from, ids.length, end, 0, end.length);
    }

    private static int[] encode(Tokenizer tokenizer, String text) {
        return tokenizer.encode(List.of(Segment.user(text)), false);
    }

    private static int add(List<int[]> all, int[] ids, String word, int vocabSize) {
        boolean isKnown = Arrays.stream(ids).allMatch(id -> id >= 0 && id < vocabSize);
        if (ids.length == 0 || !isKnown) {
            throw EngineException.invalid(
                    "bad_words",
                    "bad_words must be made of the model's tokens: bad_words=\"" + word + "\"");
        }
        all.add(ids);
        return ids.length;
    }

    /** True if the output has to be known up to its last token. */
    boolean followsOutput() {
        return sequences.length > 0;
    }

    /**
     * The id that the index-th sequence bans after a text; -1: none.
     *
     * @param from where the output begins in the text
     * @param length tokens of the text
     */
    int banned(int index, TokenSource tokens, int from, int length) {
        int[] ids = sequences[index];
        int before = ids.length - 1;
        int start = length - before;
        if (start < from) {
            return -1;
        }
        for (int i = 0; i < before; i++) {
            if (tokens.token(start + i) != ids[i]) {
                return -1;
            }
        }
        return ids[before];
    }
}
