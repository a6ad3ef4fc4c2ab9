package io.cortado.text;

import java.util.BitSet;

/** Turns one word of the pre-tokenizer into tokens. Implementations are thread-safe. */
interface WordModel {
    /** To be passed where every token may be spelled. */
    BitSet NOTHING = new BitSet();

    /**
     * The tokens of a word that is not empty.
     *
     * @param forbidden ids that the word must not become by being spelled so
     */
    void tokenize(String word, BitSet forbidden, WordTokens out);

    /** What stands for text that the vocabulary lacks, negative for none: never forbidden. */
    int unknownId();

    /** Whether an unknown token counts as written like the text it stands for. */
    default boolean writesUnknownAsText() {
        return false;
    }

    /**
     * The unknown token's id.
     *
     * @throws TokenizerFormatException where the file has none, as the reference refuses to go on
     */
    static int knownUnknown(int unknownId, String text) {
        if (unknownId < 0) {
            throw new TokenizerFormatException(
                    "the tokenizer's vocabulary lacks a text and an unknown token: text="
                            + TokenizerFile.clip(text));
        }
        return unknownId;
    }

    /**
     * The first place after {@code from} where a word may be cut without changing what it becomes,
     * or {@code end}.
     */
    default int cut(String text, int from, int end) {
        return end;
    }
}
