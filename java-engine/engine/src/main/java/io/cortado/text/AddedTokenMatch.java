package io.cortado.text;

/** Which added tokens are looked for in a text, from the most to the least trusting. */
public enum AddedTokenMatch {
    /** Every added token, as the file says. */
    ALL,
    /** Those that are not special: {@code <think>} matches, {@code <|im_start|>} is plain text. */
    NON_SPECIAL,
    /** None: the text is mere text. */
    NONE;

    boolean allows(AddedToken token) {
        return this == ALL || (this == NON_SPECIAL && !token.special());
    }
}
