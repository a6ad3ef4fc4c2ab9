package io.cortado.constrain.schema;

import io.cortado.constrain.Alphabet;
import io.cortado.constrain.ByteSet;
import io.cortado.constrain.CodePoints;
import io.cortado.constrain.Regex;
import io.cortado.constrain.Regexes;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** How strings are written: the languages of their bodies, without the quotes. */
final class JsonText implements Alphabet {
    private static final String SHORT = "\"\\\b\f\n\r\t";
    private static final String LETTERS = "\"\\bfnrt";
    private static final CodePoints CONTROLS = CodePoints.range(0, 0x1F);
    private static final CodePoints BARE =
            CodePoints.ofRanges(0, 0x1F, '"', '"', '\\', '\\').not();
    private static final CodePoints ASCII = CodePoints.range(0, 0x7F);

    private final Regexes regexes;
    private final Map<CodePoints, Regex> known = new HashMap<>();
    private final Regex text;

    JsonText(Regexes regexes) {
        this.regexes = regexes;
        text = regexes.star(letter(CodePoints.ANY));
    }

    /** Any string. */
    @Override
    public Regex text() {
        return text;
    }

    /** Strings of so many characters. */
    Regex ofLength(int min, int max) {
        return regexes.repeat(letter(CodePoints.ANY), min, max);
    }

    Regex except(Regex body) {
        return regexes.and(text, regexes.not(body));
    }

    Regex search(String pattern) {
        return regexes.search(pattern, this);
    }

    /** One of these strings, however it is written. */
    Regex oneOf(Collection<String> strings) {
        if (strings.stream().allMatch(JsonText::hasOneForm)) {
            return regexes.choice(strings.stream().map(JsonText::written).toList());
        }
        return regexes.or(strings.stream().map(this::literal).toList());
    }

    Regex literal(String string) {
        if (hasOneForm(string)) {
            return regexes.literal(written(string));
        }
        List<Regex> parts = new ArrayList<>();
        string.codePoints().forEach(c -> parts.add(letter(CodePoints.of(c))));
        return regexes.concat(parts);
    }

    /** Whether UTF-8 can spell it. */
    static boolean isText(String string) {
        return string.codePoints().noneMatch(c -> c >= 0xD800 && c <= 0xDFFF);
    }

    private static boolean hasOneForm(String string) {
        for (int i = 0; i < string.length(); i++) {
            char c = string.charAt(i);
            if (c > 0x7F || c < ' ' && SHORT.indexOf(c) < 0) {
                return false;
            }
        }
        return true;
    }

    private static byte[] written(String ascii) {
        var bytes = new byte[2 * ascii.length()];
        int length = 0;
        for (int i = 0; i < ascii.length(); i++) {
            int escape = SHORT.indexOf(ascii.charAt(i));
            if (escape >= 0) {
                bytes[length++] = '\\';
            }
            bytes[length++] = (byte) (escape >= 0 ? LETTERS.charAt(escape) : ascii.charAt(i));
        }
        return Arrays.copyOf(bytes, length);
    }

    /** One character of the set. */
    @Override
    public Regex letter(CodePoints set) {
        return known.computeIfAbsent(set, this::make);
    }

    private Regex make(CodePoints set) {
        List<Regex> forms = new ArrayList<>();
        forms.add(regexes.codePoints(set.and(BARE)));
        CodePoints left = set.and(CONTROLS);
        for (int i = 0; i < SHORT.length(); i++) {
            CodePoints one = CodePoints.of(SHORT.charAt(i));
            if (set.contains(SHORT.charAt(i))) {
                forms.add(regexes.literal("\\" + LETTERS.charAt(i)));
                left = left.minus(one);
            }
        }
        left = left.or(set.minus(ASCII));
        List<Regex> digits = new ArrayList<>();
        for (int i = 0; i < left.numRanges(); i++) {
            addEscapes(left.first(i), left.last(i), digits);
        }
        forms.add(regexes.concat(regexes.literal("\\u"), regexes.or(digits)));
        return regexes.or(forms);
    }

    private void addEscapes(int first, int last, List<Regex> out) {
        if (first <= 0xFFFF) {
            out.add(hex(first, Math.min(last, 0xFFFF), 4));
        }
        int from = Math.max(first, 0x10000) - 0x10000;
        int to = last - 0x10000;
        if (from > to) {
            return;
        }
        int high = from >> 10;
        int highest = to >> 10;
        if (high == highest) {
            out.add(pair(high, high, from & 0x3FF, to & 0x3FF));
            return;
        }
        if ((from & 0x3FF) != 0) {
            out.add(pair(high, high, from & 0x3FF, 0x3FF));
            high++;
        }
        if ((to & 0x3FF) != 0x3FF) {
            out.add(pair(highest, highest, 0, to & 0x3FF));
            highest--;
        }
        if (high <= highest) {
            out.add(pair(high, highest, 0, 0x3FF));
        }
    }

    /** Two escapes: a range of high surrogates and one of low ones. */
    private Regex pair(int high, int highest, int low, int lowest) {
        return regexes.concat(
                List.of(
                        hex(0xD800 + high, 0xD800 + highest, 4),
                        regexes.literal("\\u"),
                        hex(0xDC00 + low, 0xDC00 + lowest, 4)));
    }

    /** Hexadecimal numbers of so many digits, letters of either case. */
    private Regex hex(int first, int last, int numDigits) {
        if (numDigits == 0) {
            return regexes.empty();
        }
        int shift = 4 * (numDigits - 1);
        int mask = (1 << shift) - 1;
        int low = first >> shift;
        int high = last >> shift;
        if (low == high) {
            return regexes.concat(
                    digits(low, high), hex(first & mask, last & mask, numDigits - 1));
        }
        List<Regex> parts = new ArrayList<>(3);
        if ((first & mask) != 0) {
            parts.add(regexes.concat(digits(low, low), hex(first & mask, mask, numDigits - 1)));
            low++;
        }
        if ((last & mask) != mask) {
            parts.add(regexes.concat(digits(high, high), hex(0, last & mask, numDigits - 1)));
            high--;
        }
        if (low <= high) {
            Regex any = regexes.repeat(digits(0, 15), numDigits - 1, numDigits - 1);
            parts.add(regexes.concat(digits(low, high), any));
        }
        return regexes.or(parts);
    }

    private Regex digits(int low, int high) {
        ByteSet set = ByteSet.NONE;
        for (int digit = low; digit <= high; digit++) {
            char lower = Character.forDigit(digit, 16);
            set = set.or(ByteSet.of(lower)).or(ByteSet.of(Character.toUpperCase(lower)));
        }
        return regexes.bytes(set);
    }
}
