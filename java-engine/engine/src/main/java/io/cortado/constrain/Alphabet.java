package io.cortado.constrain;

/**
 * How the characters of a pattern are spelled as bytes. Spellings of different characters differ
 * and none begins another, so that union, concatenation, repetition and intersection of spelled
 * languages spell those of the characters; a complement must be taken within {@link #text}.
 */
public interface Alphabet {
    /** Any spelling of one character of the set. */
    Regex letter(CodePoints set);

    /** The spellings of all texts. */
    Regex text();

    /** UTF-8 itself. */
    static Alphabet utf8(Regexes regexes) {
        return new Alphabet() {
            @Override
            public Regex letter(CodePoints set) {
                return regexes.codePoints(set);
            }

            @Override
            public Regex text() {
                return regexes.text();
            }
        };
    }

    /** Between the quotes of a JSON string: as it is, or by any of its escapes. */
    static Alphabet jsonString(Regexes regexes) {
        return new JsonAlphabet(regexes, false);
    }

    /**
     * Alike, but what JSON need not escape and is ASCII stands as it is, and the rest has its
     * shortest escape: texts that a schema fixes stay fixed.
     */
    static Alphabet shortJsonString(Regexes regexes) {
        return new JsonAlphabet(regexes, true);
    }
}
