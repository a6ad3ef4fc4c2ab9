package io.cortado.text;

/** A split pattern and the place up to which it is read. */
abstract sealed class SplitPatternReader permits SplitRegexParser, SplitClassParser {
    final String pattern;
    int at;

    SplitPatternReader(String pattern) {
        this.pattern = pattern;
    }

    /** Reads over a literal, if it is what comes next. */
    final boolean take(String literal) {
        if (!pattern.startsWith(literal, at)) {
            return false;
        }
        at += literal.length();
        return true;
    }

    final TokenizerFormatException malformed(String what) {
        return new TokenizerFormatException(
                "split pattern is malformed: it has "
                        + what
                        + ": position="
                        + at
                        + " pattern="
                        + TokenizerFile.clip(pattern));
    }
}
