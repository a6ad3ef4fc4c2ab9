package io.cortado.constrain;

/**
 * What the classes of a pattern mean. In all of them {@code \d} and {@code \w} are ASCII, and
 * {@code (?i)} folds ASCII letters only.
 */
public enum RegexDialect {
    /** JSON Schema's {@code pattern}: ECMA-262 with the flag u. */
    ECMA(
            CodePoints.ofRanges('\n', '\n', '\r', '\r', 0x2028, 0x2029),
            CodePoints.ofRanges(
                    '\t', '\r', ' ', ' ', 0xA0, 0xA0, 0x1680, 0x1680, 0x2000, 0x200A, 0x2028,
                    0x2029, 0x202F, 0x202F, 0x205F, 0x205F, 0x3000, 0x3000, 0xFEFF, 0xFEFF)),
    /** {@code regex} of requests: what Python, Rust and Java agree upon. */
    COMMON(CodePoints.of('\n'), CodePoints.ofRanges('\t', '\r', ' ', ' '));

    private final CodePoints lineEnds;
    private final CodePoints spaces;

    RegexDialect(CodePoints lineEnds, CodePoints spaces) {
        this.lineEnds = lineEnds;
        this.spaces = spaces;
    }

    CodePoints lineEnds() {
        return lineEnds;
    }

    CodePoints spaces() {
        return spaces;
    }
}
