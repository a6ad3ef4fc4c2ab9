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
        boolean special) {}
