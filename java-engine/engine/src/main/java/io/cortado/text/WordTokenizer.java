package io.cortado.text;

import java.util.BitSet;

/**
 * Words to ids, the hot path: recent words are looked up without an allocation.
 *
 * <p>What a client wrote must not become a control token. The models of some files hold their
 * control tokens as pieces like any others, so a word of a client that spells one is tokenized once
 * more without them.
 */
final class WordTokenizer {
    private final WordModel model;
    private final BitSet special;
    private final boolean spellsBytes;
    private final WordCache cache = new WordCache();

    /**
     * @param special the ids of control tokens
     * @param spellsBytes whether words come as text and the model wants them in byte letters
     */
    WordTokenizer(WordModel model, BitSet special, boolean spellsBytes) {
        this.model = model;
        this.spellsBytes = spellsBytes;
        this.special = (BitSet) special.clone();
        if (model.unknownId() >= 0) {
            this.special.clear(model.unknownId());
        }
    }

    /**
     * Appends the ids of the word {@code text[start, end)}.
     *
     * @param trusted whether the word may spell control tokens
     */
    void tokenize(String text, int start, int end, boolean trusted, IntList ids) {
        if (spellsBytes) {
            append(text, start, end, trusted, ids);
            return;
        }
        for (int from = start; from < end; ) {
            int to = model.cut(text, from, end);
            append(text, from, to, trusted, ids);
            from = to;
        }
    }

    private void append(String text, int start, int end, boolean trusted, IntList ids) {
        boolean isShort = end - start <= WordCache.MAX_CHARS;
        int[] found = isShort ? cache.find(text, start, end) : null;
        if (found == null) {
            String word = text.substring(start, end);
            found = model(word, WordModel.NOTHING);
            if (isShort) {
                cache.put(word, found);
            }
        }
        if (!trusted && spellsSpecial(found)) {
            found = model(text.substring(start, end), special);
        }
        ids.addAll(found);
    }

    private boolean spellsSpecial(int[] ids) {
        if (special.isEmpty()) {
            return false;
        }
        for (int id : ids) {
            if (special.get(id)) {
                return true;
            }
        }
        return false;
    }

    private int[] model(String word, BitSet forbidden) {
        var tokens = new WordTokens();
        model.tokenize(spellsBytes ? ByteLetters.spell(word) : word, forbidden, tokens);
        return tokens.ids();
    }

    /** The unknown token that counts as written like the text it stands for, or -1. */
    int unknownWrittenAsText() {
        return model.writesUnknownAsText() ? model.unknownId() : -1;
    }

    /** The tokens of a word with their places, without the cache; the word is spelled already. */
    WordTokens locate(String word, boolean trusted) {
        var tokens = new WordTokens();
        model.tokenize(word, WordModel.NOTHING, tokens);
        if (!trusted && spellsSpecial(tokens.ids())) {
            tokens = new WordTokens();
            model.tokenize(word, special, tokens);
        }
        return tokens;
    }
}
