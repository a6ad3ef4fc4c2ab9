package io.cortado.text.jinja;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** Python's {@code format % values}; what the format says keeps its origin, as do the values. */
final class PercentFormat {
    private static final long MAX_DIGITS = 9999;
    private static final Pattern FIELD =
            Pattern.compile(
                    "%(?:\\((?<key>[^)]*)\\))?(?<flags>[-+ 0#]{0,8})(?<width>\\*|\\d{0,7})"
                            + "(?:\\.(?<digits>\\*|\\d{0,4}))?[hlL]?(?<kind>[sradiufFgGxXoeEc%])");

    private final Str format;
    private final Object values;
    private final List<Object> list;
    private final Budget budget;
    private int next;

    private PercentFormat(Str format, Object values, Budget budget) {
        this.format = format;
        this.values = values;
        this.list = values instanceof Tuple tuple ? tuple.items() : List.of(values);
        this.budget = budget;
    }

    static Str format(Str format, Object values, Budget budget) {
        return new PercentFormat(format, values, budget).run().markup(format.isMarkup());
    }

    private Str run() {
        String text = format.text();
        var out = new Str.Builder();
        int from = 0;
        Matcher field = FIELD.matcher(text);
        for (int at = text.indexOf('%'); at >= 0; at = text.indexOf('%', from)) {
            out.append(format, from, at);
            if (!field.region(at, text.length()).lookingAt()) {
                throw new TemplateException(
                        "unsupported format: "
                                + text.substring(at, Math.min(at + 10, text.length())));
            }
            from = field.end();
            out.append(field(field));
            budget.step();
            budget.bound(out.length());
        }
        boolean mayRemain = values instanceof Map<?, ?> || values instanceof List<?>;
        if (next < list.size() && !mayRemain) {
            throw new TemplateException("not all arguments converted during string formatting");
        }
        budget.text(out.length());
        return out.append(format, from, text.length()).build();
    }

    private Str field(Matcher field) {
        char kind = field.group("kind").charAt(0);
        if (kind == '%' && field.end() - field.start() == 2) {
            return format.part(field.start(), field.start() + 1);
        }
        String key = field.group("key");
        int width = number(field.group("width"), 0, Budget.OUTPUT_BASE_CHARS);
        int digits = number(field.group("digits"), -1, MAX_DIGITS);
        Object value = key == null ? positional() : named(key);
        if (kind == '%') {
            throw new TemplateException("unsupported format: " + field.group());
        }
        budget.text(Math.abs(width));
        String flags = field.group("flags") + (width < 0 ? "-" : "");
        return "sra".indexOf(kind) >= 0 || kind == 'c'
                ? padded(text(kind, digits, value), "", flags.replace("0", ""), Math.abs(width))
                : number(kind, digits, value, flags, Math.abs(width));
    }

    private int number(@Nullable String written, int fallback, long limit) {
        if (written == null) {
            return fallback;
        }
        if (!written.equals("*")) {
            return written.isEmpty() ? 0 : Integer.parseInt(written);
        }
        long given = Operators.whole(positional());
        if (given > limit || given < -limit) {
            throw TemplateException.budget(
                    "format width or precision too large: value=" + given + " limit=" + limit);
        }
        return (int) given;
    }

    private Object positional() {
        if (next >= list.size()) {
            throw new TemplateException("not enough arguments for format string");
        }
        return list.get(next++);
    }

    private Object named(String key) {
        if (!(values instanceof Map<?, ?> map)) {
            throw new TemplateException("format requires a mapping");
        }
        if (map.get(Str.literal(key)) instanceof Object found) {
            return found;
        }
        throw new TemplateException("format key not given: key=" + key);
    }

    private Str text(char kind, int digits, Object value) {
        Str s =
                switch (kind) {
                    case 's' -> Repr.str(value, budget);
                    case 'r' -> Repr.repr(value, budget);
                    case 'a' -> ascii(Repr.repr(value, budget));
                    default ->
                            value instanceof Str one && one.length() == 1
                                    ? one
                                    : Str.literal(Character.toString(character(value)));
                };
        Str cut =
                digits < 0 || s.length() <= digits
                        ? s
                        : s.part(0, s.text().offsetByCodePoints(0, digits));
        return format.isMarkup() ? Html.markup(cut, budget) : cut;
    }

    private Str number(char kind, int digits, Object value, String flags, int width) {
        boolean isDecimal = "eEfFgG".indexOf(kind) >= 0;
        boolean isNegative;
        String shown;
        if (isDecimal) {
            double number = Operators.decimal(value);
            isNegative = Double.compare(number, 0) < 0;
            shown = NumberText.decimal(number, kind, digits < 0 ? 6 : digits, flags.contains("#"));
        } else {
            BigInteger number =
                    value instanceof Double d && "diu".indexOf(kind) >= 0
                            ? truncated(d)
                            : NumberText.big(value);
            isNegative = number.signum() < 0;
            shown = NumberText.whole(number, kind, flags.contains("#"));
            shown = "0".repeat(Math.max(0, digits - shown.length())) + shown;
        }
        budget.text(shown.length());
        String sign = isNegative ? "-" : flags.contains("+") ? "+" : flags.contains(" ") ? " " : "";
        return padded(Str.literal(shown), sign, flags, width);
    }

    private static BigInteger truncated(double value) {
        if (Double.isNaN(value) || Double.isInfinite(value)) {
            throw new TemplateException("cannot convert float to integer: value=" + value);
        }
        return new BigDecimal(value).toBigInteger();
    }

    private static Str padded(Str body, String sign, String flags, int width) {
        int missing = Math.max(0, width - body.length() - sign.length());
        Str signed = Str.literal(sign);
        if (flags.contains("-")) {
            return signed.plus(body).plus(Str.literal(" ".repeat(missing)));
        }
        return flags.contains("0")
                ? signed.plus(Str.literal("0".repeat(missing))).plus(body)
                : Str.literal(" ".repeat(missing)).plus(signed).plus(body);
    }

    static int character(Object value) {
        long code = Operators.whole(value);
        if (code < 0 || code > Character.MAX_CODE_POINT) {
            throw new TemplateException("character code out of range: code=" + code);
        }
        return (int) code;
    }

    /** A representation with everything beyond ASCII escaped. */
    static Str ascii(Str repr) {
        return repr.map(text -> {
            var out = new StringBuilder(text.length());
            text.codePoints()
                    .forEach(c -> {
                        if (c < 0x80) {
                            out.append((char) c);
                        } else {
                            out.append(Repr.escaped(c));
                        }
                    });
            return out.toString();
        });
    }
}
