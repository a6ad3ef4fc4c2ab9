package io.cortado.text.jinja;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.MathContext;
import java.math.RoundingMode;
import java.util.Locale;

/** Digits of numbers as Python's formatting writes them, without a sign. */
final class NumberText {
    private NumberText() {}

    static BigInteger big(Object value) {
        return switch (value) {
            case BigInteger n -> n;
            default -> BigInteger.valueOf(Operators.whole(value));
        };
    }

    /** An int in a radix of {@code bdoxX}; {@code prefixed} writes 0b, 0o or 0x before it. */
    static String whole(BigInteger value, char kind, boolean prefixed) {
        int radix =
                switch (kind) {
                    case 'b' -> 2;
                    case 'o' -> 8;
                    case 'x', 'X' -> 16;
                    default -> 10;
                };
        String digits = value.abs().toString(radix);
        String prefix = prefixed && radix != 10 ? "0" + Character.toLowerCase(kind) : "";
        return kind == 'X' ? (prefix + digits).toUpperCase(Locale.ROOT) : prefix + digits;
    }

    /** A finite or infinite number in a form of {@code eEfFgG}. */
    static String decimal(double value, char kind, int places, boolean alternate) {
        String text = lower(Math.abs(value), Character.toLowerCase(kind), places, alternate);
        return Character.isUpperCase(kind) ? text.toUpperCase(Locale.ROOT) : text;
    }

    private static String lower(double value, char kind, int places, boolean alternate) {
        if (Double.isNaN(value) || Double.isInfinite(value)) {
            return Double.isNaN(value) ? "nan" : "inf";
        }
        return switch (kind) {
            case 'f' -> {
                String text =
                        new BigDecimal(value)
                                .setScale(places, RoundingMode.HALF_EVEN)
                                .toPlainString();
                yield alternate && places == 0 ? text + "." : text;
            }
            case 'e' -> exponential(value, places, alternate);
            default -> general(value, Math.max(1, places), alternate);
        };
    }

    private static String exponential(double value, int places, boolean alternate) {
        BigDecimal rounded =
                new BigDecimal(value).round(new MathContext(places + 1, RoundingMode.HALF_EVEN));
        int exponent = value == 0 ? 0 : rounded.precision() - rounded.scale() - 1;
        var digits = new StringBuilder(rounded.unscaledValue().toString());
        while (digits.length() < places + 1) {
            digits.append('0');
        }
        digits.setLength(places + 1);
        if (places > 0 || alternate) {
            digits.insert(1, '.');
        }
        return digits + exponent(exponent);
    }

    private static String exponent(int exponent) {
        return (exponent < 0 ? "e-" : "e+")
                + (Math.abs(exponent) < 10 ? "0" : "")
                + Math.abs(exponent);
    }

    /** As many digits as asked for, without zeros at their end unless {@code alternate}. */
    private static String general(double value, int digits, boolean alternate) {
        String scientific = exponential(value, digits - 1, alternate);
        int at = scientific.indexOf('e');
        int exponent = Integer.parseInt(scientific.substring(at + 1));
        if (exponent < -4 || exponent >= digits) {
            String mantissa = scientific.substring(0, at);
            return (alternate ? mantissa : trimmed(mantissa)) + exponent(exponent);
        }
        String plain = lower(value, 'f', digits - 1 - exponent, alternate);
        return alternate ? plain : trimmed(plain);
    }

    private static String trimmed(String text) {
        if (text.indexOf('.') < 0) {
            return text;
        }
        int end = text.length();
        while (text.charAt(end - 1) == '0') {
            end--;
        }
        return text.substring(0, text.charAt(end - 1) == '.' ? end - 1 : end);
    }

    /** Marks every third digit before the point, or every fourth of a radix that is not ten. */
    static String grouped(String digits, char separator, int every) {
        int end = 0;
        while (end < digits.length()
                && Character.digit(digits.charAt(end), 16) >= 0
                && (every == 4 || Character.isDigit(digits.charAt(end)))) {
            end++;
        }
        var out = new StringBuilder(digits);
        for (int i = end - every; i > 0; i -= every) {
            out.insert(i, separator);
        }
        return out.toString();
    }
}
