package io.cortado.constrain.schema;

import io.cortado.constrain.ByteSet;
import io.cortado.constrain.GrammarException;
import io.cortado.constrain.Regex;
import io.cortado.constrain.Regexes;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;

/**
 * Conditions on numbers as languages of their texts. Each condition and its opposite are stated for
 * themselves, exact on plain texts; of texts with an exponent they hold those that are normalised
 * (one digit that is not 0, a fraction of up to 17 digits) and that can be decided.
 */
final class Numbers {
    private static final int MAX_FRACTION = 17;
    private static final int MAX_DIGITS = 1_000;

    /** More than doubles have; libraries fail at exponents of ten digits. */
    private static final int MAX_EXPONENT_DIGITS = 3;

    private static final int MAX_SCIENTIFIC_VALUES = 20;

    private final Regexes regexes;
    private final Magnitudes magnitudes;
    private final Regex minus;
    private final Regex unsigned;
    private final Regex zero;
    private final Regex mantissa;
    private final Regex mark;
    private final Regex anyScientific;
    private final Regex exponent;

    Numbers(Regexes regexes) {
        this.regexes = regexes;
        magnitudes = new Magnitudes(regexes);
        minus = regexes.literal("-");
        unsigned = magnitudes.any();
        zero = regexes.concat(regexes.literal("0"), magnitudes.zeros());
        mark = regexes.bytes(ByteSet.of('e').or(ByteSet.of('E')));
        Regex digit = regexes.bytes(ByteSet.range('0', '9'));
        Regex fraction =
                regexes.concat(regexes.literal("."), regexes.repeat(digit, 1, MAX_FRACTION));
        mantissa =
                regexes.concat(regexes.bytes(ByteSet.range('1', '9')), regexes.optional(fraction));
        Regex exponent =
                regexes.concat(
                        regexes.optional(regexes.bytes(ByteSet.of('+').or(ByteSet.of('-')))),
                        regexes.repeat(digit, 1, MAX_EXPONENT_DIGITS));
        this.exponent = exponent;
        anyScientific = regexes.concat(List.of(mantissa, mark, exponent));
        any =
                new NumberSet(
                        signed(unsigned),
                        signed(regexes.concat(List.of(unsigned, mark, exponent))));
        none = new NumberSet(regexes.nothing(), regexes.nothing());
    }

    /** All numbers that JSON can write. */
    final NumberSet any;

    final NumberSet none;

    private Regex signed(Regex regex) {
        return regexes.concat(regexes.optional(minus), regex);
    }

    Regex written(NumberSet set) {
        return regexes.or(set.plain(), set.scientific());
    }

    /** Plain texts, one for each value. */
    Regex canonical(NumberSet set) {
        Regex fraction = regexes.concat(regexes.literal("."), magnitudes.canonicalFraction());
        Regex form = signed(regexes.concat(magnitudes.integer(), regexes.optional(fraction)));
        return regexes.and(List.of(set.plain(), form, regexes.not(regexes.concat(minus, zero))));
    }

    NumberSet and(NumberSet a, NumberSet b) {
        return new NumberSet(
                regexes.and(a.plain(), b.plain()), regexes.and(a.scientific(), b.scientific()));
    }

    NumberSet or(NumberSet a, NumberSet b) {
        return new NumberSet(
                regexes.or(a.plain(), b.plain()), regexes.or(a.scientific(), b.scientific()));
    }

    /**
     * Numbers without a fraction.
     *
     * @param byForm whether 1.0 has one
     */
    NumberSet integers(boolean byForm) {
        Regex zeros = byForm ? regexes.empty() : magnitudes.zeros();
        return new NumberSet(
                signed(regexes.concat(magnitudes.integer(), zeros)), regexes.nothing());
    }

    NumberSet fractions(boolean byForm) {
        Regex digit = regexes.bytes(ByteSet.range('0', '9'));
        Regex point = regexes.literal(".");
        Regex fraction =
                byForm
                        ? regexes.concat(point, regexes.plus(digit))
                        : regexes.concat(point, magnitudes.notZero());
        Regex small =
                regexes.concat(
                        List.of(
                                mantissa,
                                mark,
                                bounded(
                                        regexes.concat(
                                                minus, magnitudes.exponent(BigInteger.ONE)))));
        return new NumberSet(signed(regexes.concat(magnitudes.integer(), fraction)), signed(small));
    }

    NumberSet atLeast(BigDecimal bound, boolean isStrict) {
        BigDecimal size = checked(bound.abs());
        return switch (bound.signum()) {
            case 1 -> new NumberSet(magnitudes.atLeast(size, isStrict), large(size, isStrict));
            case 0 ->
                    new NumberSet(
                            isStrict
                                    ? magnitudes.atLeast(size, true)
                                    : regexes.or(unsigned, regexes.concat(minus, zero)),
                            anyScientific);
            default ->
                    new NumberSet(
                            regexes.or(
                                    unsigned,
                                    regexes.concat(minus, magnitudes.atMost(size, isStrict))),
                            regexes.or(
                                    anyScientific, regexes.concat(minus, small(size, isStrict))));
        };
    }

    NumberSet atMost(BigDecimal bound, boolean isStrict) {
        BigDecimal size = checked(bound.abs());
        Regex negative = regexes.concat(minus, unsigned);
        Regex negativeScientific = regexes.concat(minus, anyScientific);
        return switch (bound.signum()) {
            case 1 ->
                    new NumberSet(
                            regexes.or(negative, magnitudes.atMost(size, isStrict)),
                            regexes.or(negativeScientific, small(size, isStrict)));
            case 0 ->
                    new NumberSet(
                            isStrict
                                    ? regexes.concat(minus, magnitudes.atLeast(size, true))
                                    : regexes.or(negative, zero),
                            negativeScientific);
            default ->
                    new NumberSet(
                            regexes.concat(minus, magnitudes.atLeast(size, isStrict)),
                            regexes.concat(minus, large(size, isStrict)));
        };
    }

    private Regex bounded(Regex power) {
        return regexes.and(exponent, power);
    }

    /** Texts with an exponent of at least so much. */
    private Regex large(BigDecimal size, boolean isStrict) {
        int power = size.precision() - size.scale() - 1;
        Regex same = regexes.and(mantissa, magnitudes.atLeast(digits(size, power), isStrict));
        return regexes.or(
                regexes.concat(List.of(same, mark, bounded(magnitudes.exponentOf(power)))),
                regexes.concat(List.of(mantissa, mark, bounded(magnitudes.exponentAbove(power)))));
    }

    private Regex small(BigDecimal size, boolean isStrict) {
        int power = size.precision() - size.scale() - 1;
        Regex same = regexes.and(mantissa, magnitudes.atMost(digits(size, power), isStrict));
        return regexes.or(
                regexes.concat(List.of(same, mark, bounded(magnitudes.exponentOf(power)))),
                regexes.concat(List.of(mantissa, mark, bounded(magnitudes.exponentBelow(power)))));
    }

    private static BigDecimal digits(BigDecimal size, int power) {
        return size.scaleByPowerOfTen(-power);
    }

    /** One of these values. */
    NumberSet oneOf(Collection<BigDecimal> values) {
        List<Regex> scientific = new ArrayList<>();
        boolean hasFew = values.size() <= MAX_SCIENTIFIC_VALUES;
        for (BigDecimal value : values) {
            if (hasFew && value.signum() != 0) {
                BigDecimal size = checked(value.abs());
                int power = size.precision() - size.scale() - 1;
                BigDecimal digits = digits(size, power);
                Regex same =
                        regexes.and(
                                List.of(
                                        mantissa,
                                        magnitudes.atLeast(digits, false),
                                        magnitudes.atMost(digits, false)));
                Regex form =
                        regexes.concat(List.of(same, mark, bounded(magnitudes.exponentOf(power))));
                scientific.add(value.signum() < 0 ? regexes.concat(minus, form) : form);
            }
        }
        return new NumberSet(plain(values), regexes.or(scientific));
    }

    NumberSet noneOf(Collection<BigDecimal> values) {
        NumberSet those = oneOf(values);
        boolean hasFew = values.size() <= MAX_SCIENTIFIC_VALUES;
        return new NumberSet(
                regexes.and(any.plain(), regexes.not(those.plain())),
                hasFew
                        ? regexes.and(signed(anyScientific), regexes.not(those.scientific()))
                        : regexes.nothing());
    }

    private Regex plain(Collection<BigDecimal> values) {
        List<byte[]> whole = new ArrayList<>();
        List<byte[]> broken = new ArrayList<>();
        for (BigDecimal value : values) {
            BigDecimal exact = checked(value);
            byte[] text = exact.toPlainString().getBytes(StandardCharsets.US_ASCII);
            (exact.scale() > 0 ? broken : whole).add(text);
            if (exact.signum() == 0) {
                whole.add("-0".getBytes(StandardCharsets.US_ASCII));
            }
        }
        Regex trailing = regexes.star(regexes.literal("0"));
        return regexes.or(
                regexes.concat(regexes.choice(whole), magnitudes.zeros()),
                regexes.concat(regexes.choice(broken), trailing));
    }

    /** Multiples, written plain. */
    NumberSet multiples(BigDecimal divisor) {
        BigDecimal exact = checked(divisor);
        int scale = Math.max(exact.scale(), 0);
        BigInteger unit = exact.movePointRight(scale).toBigIntegerExact();
        if (unit.bitLength() > 31) {
            throw new GrammarException(
                    GrammarException.Reason.UNSUPPORTED,
                    "",
                    "multipleOf has too many digits: multipleOf=" + divisor);
        }
        List<Regex> forms = new ArrayList<>();
        for (int digits = 0; digits <= scale; digits++) {
            BigInteger missing = BigInteger.TEN.pow(scale - digits);
            int step = unit.divide(unit.gcd(missing)).intValueExact();
            Regex form = regexes.and(magnitudes.withFraction(digits), regexes.multiple(step));
            forms.add(digits < scale || scale == 0 ? form : trailing(form));
        }
        Regex all =
                scale == 0
                        ? regexes.concat(forms.getFirst(), magnitudes.zeros())
                        : regexes.or(forms);
        return new NumberSet(signed(all), regexes.nothing());
    }

    private Regex trailing(Regex form) {
        return regexes.concat(form, regexes.star(regexes.literal("0")));
    }

    NumberSet notMultiples(BigDecimal divisor) {
        return new NumberSet(
                regexes.and(any.plain(), regexes.not(multiples(divisor).plain())),
                regexes.nothing());
    }

    private static BigDecimal checked(BigDecimal value) {
        BigDecimal exact = value.signum() == 0 ? BigDecimal.ZERO : value.stripTrailingZeros();
        if (exact.precision() > MAX_DIGITS || Math.abs((long) exact.scale()) > MAX_DIGITS) {
            throw new GrammarException(
                    GrammarException.Reason.LIMIT,
                    "",
                    "a number must not have more digits than allowed: limit=" + MAX_DIGITS);
        }
        return exact;
    }
}
