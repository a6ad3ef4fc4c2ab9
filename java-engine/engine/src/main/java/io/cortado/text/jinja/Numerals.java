package io.cortado.text.jinja;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.Locale;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** Numbers read from text as Python's int() and float() read them. */
final class Numerals {
    private static final Pattern DECIMAL =
            Pattern.compile(
                    "[-+]?(?:\\d+(?:_\\d+)*+\\.?(?:\\d+(?:_\\d+)*+)?|\\.\\d+(?:_\\d+)*+)(?:[eE][-+]?\\d+(?:_\\d+)*+)?");

    /** As Python's own bound for reading ints. */
    private static final int MAX_DIGITS = 4300;

    private Numerals() {}

    /** A whole number, or {@code fallback} where the text is none. */
    static Object whole(String text, int base, Object fallback) {
        if (base != 0 && (base < 2 || base > 36)) {
            return fallback;
        }
        Object exact = exact(text.strip().toLowerCase(Locale.ROOT), base);
        if (exact != null) {
            return exact;
        }
        // "42.9" is 42, as in Jinja2.
        Double decimal = decimal(text);
        return decimal == null || decimal.isNaN() || decimal.isInfinite()
                ? fallback
                : truncated(decimal);
    }

    private static @Nullable Object exact(String text, int base) {
        boolean isNegative = text.startsWith("-");
        String digits = isNegative || text.startsWith("+") ? text.substring(1) : text;
        int radix = base;
        for (String prefix : new String[] {"0x", "0o", "0b"}) {
            int of = prefix.equals("0x") ? 16 : prefix.equals("0o") ? 8 : 2;
            if (digits.startsWith(prefix) && (base == 0 || base == of)) {
                radix = of;
                digits = digits.substring(digits.startsWith("_", 2) ? 3 : 2);
                break;
            }
        }
        if (radix == 0
                && digits.length() > 1
                && digits.startsWith("0")
                && !digits.matches("[0_]+")) {
            return null;
        }
        if (digits.length() > MAX_DIGITS
                || !digits.matches("[\\p{Nd}a-z]++(?:_[\\p{Nd}a-z]++)*+")) {
            return null;
        }
        try {
            var value = new BigInteger(digits.replace("_", ""), radix == 0 ? 10 : radix);
            return small(isNegative ? value.negate() : value);
        } catch (NumberFormatException e) {
            return null;
        }
    }

    static @Nullable Double decimal(String text) {
        String bare = text.strip();
        String lower = bare.toLowerCase(Locale.ROOT);
        String unsigned =
                lower.startsWith("-") || lower.startsWith("+") ? lower.substring(1) : lower;
        if (unsigned.equals("inf") || unsigned.equals("infinity")) {
            return lower.startsWith("-") ? Double.NEGATIVE_INFINITY : Double.POSITIVE_INFINITY;
        }
        if (unsigned.equals("nan")) {
            return Double.NaN;
        }
        return bare.length() <= MAX_DIGITS && DECIMAL.matcher(bare).matches()
                ? Double.valueOf(bare.replace("_", ""))
                : null;
    }

    static Object truncated(double value) {
        if (Double.isNaN(value) || Double.isInfinite(value)) {
            throw new TemplateException("cannot convert float to integer: value=" + value);
        }
        return small(new BigDecimal(value).toBigInteger());
    }

    /** A long where it fits. */
    static Object small(BigInteger value) {
        return value.bitLength() < Long.SIZE ? (Object) value.longValue() : value;
    }
}
