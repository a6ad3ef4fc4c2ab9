package io.cortado.constrain.schema;

import io.cortado.constrain.ByteSet;
import io.cortado.constrain.Regex;
import io.cortado.constrain.Regexes;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.List;

/** Comparisons of unsigned decimal texts with a bound, digit by digit. */
final class Magnitudes {
    private final Regexes regexes;
    private final Regex digit;
    private final Regex point;
    private final Regex integer;
    private final Regex fraction;
    private final Regex zeros;
    private final Regex notZero;

    Magnitudes(Regexes regexes) {
        this.regexes = regexes;
        digit = digits(0, 9);
        point = regexes.literal(".");
        integer = regexes.or(digits(0, 0), regexes.concat(digits(1, 9), regexes.star(digit)));
        fraction = regexes.optional(regexes.concat(point, regexes.plus(digit)));
        zeros = regexes.optional(regexes.concat(point, regexes.plus(digits(0, 0))));
        notZero =
                regexes.concat(
                        List.of(regexes.star(digits(0, 0)), digits(1, 9), regexes.star(digit)));
    }

    private Regex digits(int low, int high) {
        return low > high ? regexes.nothing() : regexes.bytes(ByteSet.range('0' + low, '0' + high));
    }

    Regex integer() {
        return integer;
    }

    Regex any() {
        return regexes.concat(integer, fraction);
    }

    /** Nothing, or a fraction that is 0. */
    Regex zeros() {
        return zeros;
    }

    /** Digits that are not all 0. */
    Regex notZero() {
        return notZero;
    }

    /** Digits of which the last is not 0. */
    Regex canonicalFraction() {
        return regexes.concat(regexes.star(digit), digits(1, 9));
    }

    /** With exactly so many digits after the point; none is no point. */
    Regex withFraction(int numDigits) {
        return numDigits == 0
                ? integer
                : regexes.concat(
                        List.of(integer, point, regexes.repeat(digit, numDigits, numDigits)));
    }

    Regex atLeast(BigDecimal bound, boolean isStrict) {
        String whole = whole(bound);
        String rest = rest(bound);
        Regex tail;
        if (rest.isEmpty()) {
            tail = isStrict ? regexes.concat(point, notZero) : fraction;
        } else {
            tail = isStrict ? notZero : regexes.star(digit);
            for (int i = rest.length() - 1; i >= 0; i--) {
                tail = above(rest.charAt(i) - '0', tail, regexes.star(digit));
            }
            tail = regexes.concat(point, tail);
        }
        return atLeast(whole, tail, fraction);
    }

    /** Integers of a length, or longer, that are not below; then {@code tail} where equal. */
    private Regex atLeast(String whole, Regex tail, Regex any) {
        Regex same = tail;
        int length = whole.length();
        for (int i = length - 1; i >= 0; i--) {
            int left = length - 1 - i;
            Regex rest = regexes.concat(regexes.repeat(digit, left, left), any);
            same = above(whole.charAt(i) - '0', same, rest);
        }
        Regex longer =
                regexes.concat(
                        List.of(
                                digits(1, 9),
                                regexes.repeat(digit, length, Regexes.UNBOUNDED),
                                any));
        return regexes.or(same, longer);
    }

    private Regex above(int value, Regex equal, Regex greater) {
        return regexes.or(
                regexes.concat(digits(value, value), equal),
                regexes.concat(digits(value + 1, 9), greater));
    }

    Regex atMost(BigDecimal bound, boolean isStrict) {
        String rest = rest(bound);
        Regex tail;
        if (rest.isEmpty()) {
            tail = isStrict ? regexes.nothing() : zeros;
        } else {
            tail = isStrict ? regexes.nothing() : regexes.star(digits(0, 0));
            for (int i = rest.length() - 1; i >= 0; i--) {
                int value = rest.charAt(i) - '0';
                tail = below(0, value, tail, regexes.star(digit));
                if (i > 0) {
                    tail = regexes.optional(tail);
                }
            }
            tail = regexes.optional(regexes.concat(point, tail));
        }
        return atMost(whole(bound), tail, fraction);
    }

    private Regex atMost(String whole, Regex tail, Regex any) {
        Regex same = tail;
        int length = whole.length();
        for (int i = length - 1; i >= 0; i--) {
            int left = length - 1 - i;
            Regex rest = regexes.concat(regexes.repeat(digit, left, left), any);
            int low = i == 0 && length > 1 ? 1 : 0;
            same = below(low, whole.charAt(i) - '0', same, rest);
        }
        if (length == 1) {
            return same;
        }
        Regex shorter =
                regexes.or(
                        digits(0, 0),
                        regexes.concat(digits(1, 9), regexes.repeat(digit, 0, length - 2)));
        return regexes.or(same, regexes.concat(shorter, any));
    }

    private Regex below(int low, int value, Regex equal, Regex less) {
        return regexes.or(
                regexes.concat(digits(value, value), equal),
                regexes.concat(digits(low, value - 1), less));
    }

    /** After the exponent's mark: exactly this. */
    Regex exponentOf(int power) {
        BigInteger size = BigInteger.valueOf(power).abs();
        Regex sign = power < 0 ? regexes.literal("-") : regexes.optional(regexes.literal("+"));
        Regex padded = regexes.concat(padding(), regexes.literal(size.toString()));
        return power == 0
                ? regexes.concat(
                        regexes.optional(regexes.bytes(ByteSet.of('+').or(ByteSet.of('-')))),
                        regexes.plus(digits(0, 0)))
                : regexes.concat(sign, padded);
    }

    Regex exponentAbove(int power) {
        Regex plus = regexes.optional(regexes.literal("+"));
        if (power >= 0) {
            return regexes.concat(plus, exponent(BigInteger.valueOf(power).add(BigInteger.ONE)));
        }
        Regex negative = regexes.concat(regexes.literal("-"), exponentUpTo(-power - 1));
        return regexes.or(regexes.concat(plus, regexes.plus(digit)), negative);
    }

    Regex exponentBelow(int power) {
        Regex minus = regexes.literal("-");
        if (power <= 0) {
            return regexes.concat(minus, exponent(BigInteger.valueOf(1L - power)));
        }
        Regex positive =
                regexes.concat(regexes.optional(regexes.literal("+")), exponentUpTo(power - 1));
        return regexes.or(regexes.concat(minus, regexes.plus(digit)), positive);
    }

    /** Digits, padded by zeros, of at least this value. */
    Regex exponent(BigInteger least) {
        return regexes.concat(
                padding(), atLeast(least.toString(), regexes.empty(), regexes.empty()));
    }

    private Regex exponentUpTo(int most) {
        return regexes.concat(
                padding(), atMost(Integer.toString(most), regexes.empty(), regexes.empty()));
    }

    private Regex padding() {
        return regexes.star(digits(0, 0));
    }

    private static String whole(BigDecimal bound) {
        return bound.toBigInteger().toString();
    }

    /** The digits after the point, without zeros at their end. */
    private static String rest(BigDecimal bound) {
        String text = bound.toPlainString();
        int dot = text.indexOf('.');
        if (dot < 0) {
            return "";
        }
        int end = text.length();
        while (text.charAt(end - 1) == '0') {
            end--;
        }
        return text.substring(dot + 1, Math.max(end, dot + 1));
    }
}
