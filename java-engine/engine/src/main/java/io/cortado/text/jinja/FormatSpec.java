package io.cortado.text.jinja;

import io.cortado.text.Origin;
import java.math.BigInteger;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A format specification of Python's {@code str.format}: {@code
 * [[fill]align][sign][z][#][0][width][grouping][.precision][type]}.
 */
final class FormatSpec {
    private static final Pattern SYNTAX =
            Pattern.compile(
                    "(?:(?<fill>.)?(?<align>[<>=^]))?(?<sign>[-+ ])?(?<z>z)?(?<alt>#)?(?<zero>0)?"
                            + "(?<width>\\d{1,7})?(?<group>[,_])?(?:\\.(?<digits>\\d{1,4}))?(?<kind>[bcdeEfFgGnosxX%])?",
                    Pattern.DOTALL);

    private final String fill;
    private final char align;
    private final String sign;
    private final boolean isAlternate;
    private final int width;
    private final String grouping;
    private final int digits;
    private final char kind;

    private FormatSpec(Matcher match) {
        boolean isZero = match.group("zero") != null;
        String asked = match.group("align");
        String filled = match.group("fill");
        fill = filled != null ? filled : isZero ? "0" : " ";
        align = asked != null ? asked.charAt(0) : isZero ? '=' : 0;
        sign = match.group("sign") == null ? "-" : match.group("sign");
        isAlternate = match.group("alt") != null;
        width = match.group("width") == null ? 0 : Integer.parseInt(match.group("width"));
        grouping = match.group("group") == null ? "" : match.group("group");
        digits = match.group("digits") == null ? -1 : Integer.parseInt(match.group("digits"));
        kind = match.group("kind") == null ? 0 : match.group("kind").charAt(0);
    }

    static Str format(Object value, String spec, Budget budget) {
        if (spec.isEmpty()) {
            return Repr.str(value, budget);
        }
        Matcher match = SYNTAX.matcher(spec);
        if (!match.matches() || match.group("z") != null) {
            throw new TemplateException("invalid format specifier: spec=" + spec);
        }
        var format = new FormatSpec(match);
        budget.text(format.width);
        return switch (value) {
            case Str s -> format.text(s, budget);
            case Long n -> format.number(n, budget);
            case BigInteger n -> format.number(n, budget);
            case Double d -> format.number(d, budget);
            case Boolean b -> format.number(b ? 1L : 0L, budget);
            default ->
                    throw new TemplateException(
                            "unsupported format string for "
                                    + Operators.typeName(value)
                                    + ": spec="
                                    + spec);
        };
    }

    private Str text(Str s, Budget budget) {
        if ((kind != 0 && kind != 's')
                || align == '='
                || !sign.equals("-")
                || isAlternate
                || !grouping.isEmpty()) {
            throw new TemplateException("format specifier does not fit a str: type=" + kind);
        }
        budget.scan(s.text().length());
        Str cut =
                digits < 0 || s.length() <= digits
                        ? s
                        : s.part(0, s.text().offsetByCodePoints(0, digits));
        return padded(cut, "", align == 0 ? '<' : align);
    }

    private Str number(Object value, Budget budget) {
        boolean isDecimal = value instanceof Double || (kind != 0 && "eEfFgG%".indexOf(kind) >= 0);
        boolean isNegative =
                isDecimal
                        ? Double.compare(Operators.decimal(value), 0) < 0
                        : NumberText.big(value).signum() < 0;
        String digitsText = isDecimal ? decimal(value) : whole(value);
        budget.text(digitsText.length());
        if (!grouping.isEmpty()) {
            boolean isTen = "boxX".indexOf(kind) < 0 || kind == 0;
            digitsText = NumberText.grouped(digitsText, grouping.charAt(0), isTen ? 3 : 4);
        }
        String shownSign = isNegative ? "-" : sign.equals("-") ? "" : sign;
        return padded(Str.literal(digitsText), shownSign, align == 0 ? '>' : align);
    }

    private String whole(Object value) {
        if (digits >= 0 || kind == 's') {
            throw new TemplateException("format specifier does not fit an int: type=" + kind);
        }
        if (kind == 'c') {
            return Character.toString(PercentFormat.character(value));
        }
        return NumberText.whole(NumberText.big(value), kind == 0 ? 'd' : kind, isAlternate);
    }

    private String decimal(Object value) {
        double number = Operators.decimal(value);
        return switch (kind) {
            case 0 -> digits < 0 ? Repr.decimal(Math.abs(number)) : shortest(number);
            case '%' -> NumberText.decimal(number * 100, 'f', digits < 0 ? 6 : digits, false) + "%";
            case 'n' -> NumberText.decimal(number, 'g', digits < 0 ? 6 : digits, isAlternate);
            case 'e', 'E', 'f', 'F', 'g', 'G' ->
                    NumberText.decimal(number, kind, digits < 0 ? 6 : digits, isAlternate);
            default ->
                    throw new TemplateException(
                            "format specifier does not fit a float: type=" + kind);
        };
    }

    /** Without a type, a precision counts all digits and one stands after the point at least. */
    private String shortest(double number) {
        String text = NumberText.decimal(number, 'g', Math.max(1, digits), false);
        return text.indexOf('.') < 0 && text.indexOf('e') < 0 && Character.isDigit(text.charAt(0))
                ? text + ".0"
                : text;
    }

    private Str padded(Str body, String shownSign, char where) {
        int missing = Math.max(0, width - body.length() - shownSign.length());
        int left =
                switch (where) {
                    case '<' -> 0;
                    case '^' -> missing / 2;
                    default -> missing;
                };
        // A client may have chosen the fill.
        Str before = Str.of(fill.repeat(left), Origin.USER);
        Str after = Str.of(fill.repeat(missing - left), Origin.USER);
        Str signed = Str.literal(shownSign);
        return where == '='
                ? signed.plus(before).plus(body)
                : before.plus(signed).plus(body).plus(after);
    }
}
