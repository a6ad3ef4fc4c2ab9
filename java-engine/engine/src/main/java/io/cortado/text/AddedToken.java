package io.cortado.text;

/**
 * An added token as the file declares it.
 *
 * @param spelling what is looked for in the text and printed when decoding: the content, normalized
 *     where {@code normalized} says so
 */
record AddedToken(
        int id,
        String content,
        String spelling,
        boolean singleWord,
        boolean lstrip,
        boolean rstrip,
        boolean normalized,
        boolean special) {
    /** One that is found exactly as it is spelled. */
    static AddedToken plain(int id, String content, boolean special) {
        if (content.isEmpty() || content.length() > TokenizerFile.MAX_ADDED_TOKEN_CHARS) {
            throw new TokenizerFormatException(
                    "control token must have 1 to "
                            + TokenizerFile.MAX_ADDED_TOKEN_CHARS
                            + " characters: chars="
                            + content.length()
                            + " id="
                            + id);
        }
        return new AddedToken(id, content, content, false, false, false, false, special);
    }
}
