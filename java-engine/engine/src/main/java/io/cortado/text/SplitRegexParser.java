package io.cortado.text;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Parses a split pattern in Oniguruma's syntax, as Hugging Face tokenizers reads it: {@code ^} and
 * {@code $} are about lines, {@code \h} is a hexadecimal digit, {@code {1,3}+} repeats the repeat.
 *
 * <p>Refused by name: backreferences, lookbehind, atomic groups and possessive quantifiers over
 * more than one character, conditionals and subexpression calls. They cannot be matched in linear
 * time by automata, or no published pattern has them.
 */
final class SplitRegexParser extends SplitPatternReader {
    private static final int MAX_PATTERN_CHARS = 20_000;
    private static final int MAX_DEPTH = 64;
    private static final int MAX_REPEAT = 1000;

    private final SplitClassParser classes;
    private int depth;
    private boolean ignoreCase;
    private boolean dotAll;

    private SplitRegexParser(String pattern) {
        super(pattern);
        this.classes = new SplitClassParser(pattern);
    }

    static SplitRegex parse(String pattern) {
        if (pattern.length() > MAX_PATTERN_CHARS) {
            throw new TokenizerFormatException(
                    "split pattern too long: chars="
                            + pattern.length()
                            + " limit="
                            + MAX_PATTERN_CHARS);
        }
        var parser = new SplitRegexParser(pattern);
        SplitRegex regex = parser.choice();
        if (parser.at < pattern.length()) {
            throw parser.malformed("a closing bracket without its opening one");
        }
        return regex;
    }

    private SplitRegex choice() {
        if (++depth > MAX_DEPTH) {
            throw malformed("groups nest deeper than " + MAX_DEPTH);
        }
        var alternatives = new ArrayList<SplitRegex>();
        alternatives.add(sequence());
        while (take("|")) {
            alternatives.add(sequence());
        }
        depth--;
        return alternatives.size() == 1
                ? alternatives.getFirst()
                : new SplitRegex.Choice(alternatives);
    }

    private SplitRegex sequence() {
        var parts = new ArrayList<SplitRegex>();
        while (at < pattern.length() && pattern.charAt(at) != '|' && pattern.charAt(at) != ')') {
            SplitRegex atom = atom();
            if (atom != null) {
                parts.add(quantified(atom));
            }
        }
        return parts.size() == 1 ? parts.getFirst() : new SplitRegex.Sequence(List.copyOf(parts));
    }

    /** One character, class, group or anchor; null for a comment. */
    private @Nullable SplitRegex atom() {
        int start = at;
        int c = pattern.codePointAt(at);
        switch (c) {
            case '(':
                return group();
            case '[':
                CodePointSet set = classes.bracket(at, ignoreCase);
                at = classes.end();
                return new SplitRegex.Chars(set);
            case '.':
                at++;
                return new SplitRegex.Chars(
                        dotAll ? CodePointSet.ALL : UnicodeSets.NEWLINE.complement());
            case '^':
                at++;
                return new SplitRegex.Anchor(SplitRegex.AnchorKind.LINE_START);
            case '$':
                at++;
                return new SplitRegex.Anchor(SplitRegex.AnchorKind.LINE_END);
            case '*', '+', '?':
                throw malformed("a quantifier without what it repeats");
            case '\\':
                SplitRegex anchor = anchor();
                if (anchor != null) {
                    return anchor;
                }
                break;
            default:
                break;
        }
        CodePointSet set = classes.single(start, ignoreCase);
        at = classes.end();
        return new SplitRegex.Chars(set);
    }

    private @Nullable SplitRegex anchor() {
        if (at + 1 >= pattern.length()) {
            throw malformed("a backslash at its end");
        }
        SplitRegex anchor =
                switch (pattern.charAt(at + 1)) {
                    case 'A' -> new SplitRegex.Anchor(SplitRegex.AnchorKind.TEXT_START);
                    case 'z' -> new SplitRegex.Anchor(SplitRegex.AnchorKind.TEXT_END);
                    case 'Z' ->
                            new SplitRegex.Look(
                                    new SplitRegex.Sequence(
                                            List.of(
                                                    new SplitRegex.Repeat(
                                                            new SplitRegex.Chars(
                                                                    UnicodeSets.NEWLINE),
                                                            0,
                                                            1,
                                                            true),
                                                    new SplitRegex.Anchor(
                                                            SplitRegex.AnchorKind.TEXT_END))),
                                    false);
                    case 'b' -> new SplitRegex.Anchor(SplitRegex.AnchorKind.WORD_BORDER);
                    case 'B' -> new SplitRegex.Anchor(SplitRegex.AnchorKind.NO_WORD_BORDER);
                    case 'k', '1', '2', '3', '4', '5', '6', '7', '8', '9' ->
                            throw unsupported("backreference");
                    case 'g' -> throw unsupported("subexpression call");
                    case 'G', 'K', 'R', 'X', 'O', 'N', 'y', 'Y' ->
                            throw unsupported("escape \\" + pattern.charAt(at + 1));
                    default -> null;
                };
        if (anchor != null) {
            at += 2;
        }
        return anchor;
    }

    private @Nullable SplitRegex group() {
        if (take("(?:")) {
            return closed(choice());
        }
        if (take("(?=")) {
            return new SplitRegex.Look(closed(choice()), false);
        }
        if (take("(?!")) {
            return new SplitRegex.Look(closed(choice()), true);
        }
        if (take("(?#")) {
            int end = pattern.indexOf(')', at);
            if (end < 0) {
                throw malformed("a comment without its end");
            }
            at = end + 1;
            return null;
        }
        if (take("(?>")) {
            return atomic(closed(choice()));
        }
        if (pattern.startsWith("(?<=", at) || pattern.startsWith("(?<!", at)) {
            throw unsupported("lookbehind");
        }
        if (take("(?<")) {
            int end = pattern.indexOf('>', at);
            if (end < 0) {
                throw malformed("a group's name without its end");
            }
            at = end + 1;
            return closed(choice());
        }
        if (take("(?")) {
            return options();
        }
        at++;
        return closed(choice());
    }

    private SplitRegex options() {
        boolean outerCase = ignoreCase;
        boolean outerDot = dotAll;
        boolean on = true;
        while (at < pattern.length()) {
            char c = pattern.charAt(at++);
            switch (c) {
                case '-' -> on = false;
                case 'i' -> ignoreCase = on;
                case 'm' -> dotAll = on;
                // (?i) by itself goes for the rest of its group, bars and all.
                case ')', ':' -> {
                    SplitRegex body = c == ':' ? closed(choice()) : choice();
                    ignoreCase = outerCase;
                    dotAll = outerDot;
                    return body;
                }
                default -> throw unsupported("group (?" + c);
            }
        }
        throw malformed("a group without its end");
    }

    private SplitRegex closed(SplitRegex body) {
        if (!take(")")) {
            throw malformed("a group without its end");
        }
        return body;
    }

    private SplitRegex quantified(SplitRegex atom) {
        SplitRegex result = atom;
        while (at < pattern.length()) {
            int min;
            int max;
            boolean isInterval = false;
            if (take("?")) {
                min = 0;
                max = 1;
            } else if (take("*")) {
                min = 0;
                max = SplitRegex.UNBOUNDED;
            } else if (take("+")) {
                min = 1;
                max = SplitRegex.UNBOUNDED;
            } else {
                int[] interval = interval();
                if (interval.length == 0) {
                    break;
                }
                min = interval[0];
                max = interval[1];
                isInterval = true;
            }
            if (take("?")) {
                result = new SplitRegex.Repeat(result, min, max, false);
            } else if (!isInterval && take("+")) {
                result = atomic(new SplitRegex.Repeat(result, min, max, true));
            } else {
                result = new SplitRegex.Repeat(result, min, max, true);
            }
        }
        return result;
    }

    /**
     * A greedy loop over one character that gives nothing back is that loop with the demand that no
     * further character of the kind follows (unless it has all it may take).
     */
    private SplitRegex atomic(SplitRegex body) {
        if (body instanceof SplitRegex.Chars) {
            return body;
        }
        if (body
                        instanceof
                        SplitRegex.Repeat(SplitRegex.Chars chars, int min, int max, boolean greedy)
                && greedy
                && (max == SplitRegex.UNBOUNDED || (min == 0 && max == 1))) {
            SplitRegex noMore = new SplitRegex.Look(chars, true);
            return max == 1
                    ? new SplitRegex.Choice(List.of(chars, noMore))
                    : new SplitRegex.Sequence(List.of(body, noMore));
        }
        throw unsupported("atomic group or possessive quantifier over more than one character");
    }

    /**
     * The bounds of {@code {n}}, {@code {n,}}, {@code {,m}} or {@code {n,m}}; empty if none is
     * here.
     */
    private int[] interval() {
        if (at >= pattern.length() || pattern.charAt(at) != '{') {
            return new int[0];
        }
        int end = pattern.indexOf('}', at);
        String inside = end < 0 ? "" : pattern.substring(at + 1, end);
        if (!inside.matches("\\d{1,9}(,\\d{0,9})?|,\\d{1,9}")) {
            return new int[0];
        }
        int comma = inside.indexOf(',');
        String low = comma < 0 ? inside : inside.substring(0, comma);
        String high = comma < 0 ? inside : inside.substring(comma + 1);
        int min = low.isEmpty() ? 0 : Integer.parseInt(low);
        int max = high.isEmpty() ? SplitRegex.UNBOUNDED : Integer.parseInt(high);
        if (min > MAX_REPEAT || (max != SplitRegex.UNBOUNDED && max > MAX_REPEAT) || min > max) {
            throw malformed(
                    "a repeat that is not within 0 <= min <= max <= "
                            + MAX_REPEAT
                            + ": {"
                            + inside
                            + "}");
        }
        at = end + 1;
        return new int[] {min, max};
    }

    private UnsupportedTokenizerException unsupported(String what) {
        return new UnsupportedTokenizerException(
                "split pattern not supported: it has a "
                        + what
                        + ": position="
                        + at
                        + " pattern="
                        + TokenizerFile.clip(pattern));
    }
}
