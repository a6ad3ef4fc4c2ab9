package io.cortado.constrain;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Characters within a JSON string (RFC 8259, section 7): unescaped, with a short escape, with
 * {@code \}{@code uXXXX} in either case, beyond the basic plane as a pair of surrogates. Surrogates
 * without their pair are no characters.
 */
final class JsonAlphabet implements Alphabet {
    private static final String SHORT = "\"\\bfnrt/";
    private static final String MEANT = "\"\\\b\f\n\r\t/";
    private static final CodePoints ESCAPED = CodePoints.ofRanges(0, 0x1F, '"', '"', '\\', '\\');
    private static final int FIRST_BEYOND = 0x10000;
    private static final int HIGH_SURROGATE = 0xD800;
    private static final int LOW_SURROGATE = 0xDC00;
    private static final int LOW_BITS = 10;
    private static final int LOW_MASK = (1 << LOW_BITS) - 1;

    /** Controls without a short escape, and what is not ASCII. */
    private static final CodePoints BY_NUMBER =
            CodePoints.range(0, 0x1F)
                    .minus(CodePoints.ofRanges('\b', '\n', '\f', '\r'))
                    .or(CodePoints.range(0x80, 0x10FFFF));

    private static final ByteSet ANY_DIGIT =
            ByteSet.range('0', '9').or(ByteSet.range('a', 'f')).or(ByteSet.range('A', 'F'));

    private final Regexes regexes;
    private final CodePoints numbered;
    private final int numShort;
    private final Map<CodePoints, Regex> letters = new HashMap<>();

    /**
     * @param isShortest whether ASCII has one spelling only
     */
    JsonAlphabet(Regexes regexes, boolean isShortest) {
        this.regexes = regexes;
        numbered = isShortest ? BY_NUMBER : CodePoints.ANY;
        numShort = isShortest ? SHORT.length() - 1 : SHORT.length();
    }

    @Override
    public Regex text() {
        return regexes.star(letter(CodePoints.ANY));
    }

    @Override
    public Regex letter(CodePoints set) {
        Regex known = letters.get(set);
        if (known == null) {
            known = regexes.or(regexes.codePoints(set.minus(ESCAPED)), escaped(set));
            letters.put(set, known);
        }
        return known;
    }

    private Regex escaped(CodePoints set) {
        ByteSet shorts = ByteSet.NONE;
        for (int i = 0; i < numShort; i++) {
            if (set.contains(MEANT.charAt(i))) {
                shorts = shorts.or(ByteSet.of(SHORT.charAt(i)));
            }
        }
        var parts = new ArrayList<Regex>();
        parts.add(regexes.bytes(shorts));
        CodePoints byNumber = set.and(numbered);
        parts.add(regexes.concat(regexes.literal("u"), units(basic(byNumber))));
        pairs(byNumber, parts);
        return regexes.concat(regexes.literal("\\"), regexes.or(parts));
    }

    private static int[] basic(CodePoints set) {
        CodePoints basic = set.and(CodePoints.range(0, FIRST_BEYOND - 1));
        var pairs = new int[2 * basic.numRanges()];
        for (int i = 0; i < basic.numRanges(); i++) {
            pairs[2 * i] = basic.first(i);
            pairs[2 * i + 1] = basic.last(i);
        }
        return pairs;
    }

    /** Each range as a first high surrogate, those with all low ones, and a last. */
    private void pairs(CodePoints set, List<Regex> parts) {
        for (int i = 0; i < set.numRanges(); i++) {
            int from = Math.max(set.first(i), FIRST_BEYOND) - FIRST_BEYOND;
            int to = set.last(i) - FIRST_BEYOND;
            while (from <= to) {
                int high = from >> LOW_BITS;
                boolean isWhole = (from & LOW_MASK) == 0 && to >= from + LOW_MASK;
                int lastHigh = isWhole ? (to + 1 >> LOW_BITS) - 1 : high;
                int last = Math.min(to, lastHigh << LOW_BITS | LOW_MASK);
                parts.add(
                        regexes.concat(
                                List.of(
                                        regexes.literal("u"),
                                        units(HIGH_SURROGATE + high, HIGH_SURROGATE + lastHigh),
                                        regexes.literal("\\u"),
                                        units(
                                                LOW_SURROGATE + (from & LOW_MASK),
                                                LOW_SURROGATE + (last & LOW_MASK)))));
                from = last + 1;
            }
        }
    }

    /** Four hexadecimal digits of a number within the pairs of first and last. */
    private Regex units(int... pairs) {
        return digits(pairs, 12);
    }

    /** The digits from the one at {@code shift} on; the pairs agree in those above. */
    private Regex digits(int[] pairs, int shift) {
        if (pairs.length == 0) {
            return Regex.NOTHING;
        }
        int numDigits = shift / 4 + 1;
        int first = pairs[0] >> 4 * numDigits << 4 * numDigits;
        boolean isFull =
                pairs.length == 2 && pairs[0] == first && pairs[1] == first + (1 << 4 * numDigits) - 1;
        if (isFull) {
            return regexes.repeat(regexes.bytes(ANY_DIGIT), numDigits, numDigits);
        }
        Map<Regex, ByteSet> leads = new LinkedHashMap<>();
        for (int digit = 0; digit < 16; digit++) {
            int base = pairs[0] >> shift + 4 << shift + 4 | digit << shift;
            int[] within = Utf8Classes.clipped(pairs, base, base | (1 << shift) - 1);
            if (within.length > 0) {
                Regex tail = shift == 0 ? Regex.EMPTY : digits(within, shift - 4);
                leads.merge(tail, hex(digit), ByteSet::or);
            }
        }
        var parts = new ArrayList<Regex>(leads.size());
        leads.forEach((tail, set) -> parts.add(regexes.concat(regexes.bytes(set), tail)));
        return regexes.or(parts);
    }

    private static ByteSet hex(int digit) {
        char lower = Character.forDigit(digit, 16);
        return ByteSet.of(lower).or(ByteSet.of(Character.toUpperCase(lower)));
    }
}
