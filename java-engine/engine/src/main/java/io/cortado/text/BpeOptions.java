package io.cortado.text;

/**
 * What a byte pair model does beside merging.
 *
 * @param ignoreMerges whether a whole word of the vocabulary is one token though no merge makes it
 * @param unknownId what stands for a character that the vocabulary lacks: an id, {@link
 *     #DROP_UNKNOWN} or {@link #REFUSE_UNKNOWN}
 * @param fuseUnknown whether unknown characters in a row become one unknown token
 * @param byteFallback whether an unknown character is written as tokens of its UTF-8 bytes
 * @param prefix what a token has in front that does not begin a word
 * @param suffix what a token has at its end that ends a word
 */
record BpeOptions(
        boolean ignoreMerges,
        int unknownId,
        boolean fuseUnknown,
        boolean byteFallback,
        String prefix,
        String suffix) {
    /** Unknown characters vanish, as in the reference where a model has no unknown token. */
    static final int DROP_UNKNOWN = -1;

    /** The file names an unknown token that its vocabulary lacks. */
    static final int REFUSE_UNKNOWN = -2;

    /** Byte-level models have none of the options. */
    static BpeOptions byteLevel(boolean ignoreMerges) {
        return new BpeOptions(ignoreMerges, DROP_UNKNOWN, false, false, "", "");
    }

    /** What SentencePiece makes: unknown characters as bytes. */
    static BpeOptions sentencePiece(int unknownId) {
        return new BpeOptions(false, unknownId, true, true, "", "");
    }

    boolean hasAffixes() {
        return !prefix.isEmpty() || !suffix.isEmpty();
    }
}
