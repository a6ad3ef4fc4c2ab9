package io.cortado.text.jinja;

import java.math.BigDecimal;
import java.math.RoundingMode;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Python's {@code format % values}; what the format says keeps its origin, as do the values. */
final class PercentFormat {
    private static final Pattern FIELD =
            Pattern.compile(
                    "%(?:\\((?<key>[^)]*)\\))?(?<flags>[-+ 0#]*)(?<width>\\d{0,6})(?:\\.(?<digits>\\d{0,3}))?(?<kind>[sdifgrxXoeEc%])");

    private PercentFormat() {}

    static Str format(Str format, Object values, Budget budget) {
        List<Object> list = values instanceof Tuple tuple ? tuple.items() : List.of(values);
        var out = new Str.Builder();
        int next = 0;
        int from = 0;
        Matcher field = FIELD.matcher(format.text());
        for (int percent = format.text().indexOf('%');
                percent >= 0;
                percent = format.text().indexOf('%', from)) {
            out.append(format, from, percent);
            if (!field.region(percent, format.text().length()).lookingAt()) {
                throw new TemplateException(
                        "unsupported format: "
                                + format.text()
                                        .substring(
                                                percent,
                                                Math.min(percent + 10, format.text().length())));
            }
            from = field.end();
            if ("%".equals(field.group("kind"))) {
                out.append(format, from - 1, from);
                continue;
            }
            String key = field.group("key");
            Object value;
            if (key != null) {
                value =
                        values instanceof Map<?, ?> map
                                        && map.get(Str.literal(key)) instanceof Object found
                                ? found
                                : missing();
            } else {
                value = next < list.size() ? list.get(next++) : missing();
            }
            Str text = one(field, value, budget);
            budget.bound((long) out.length() + text.text().length());
            out.append(text);
        }
        if (next < list.size() && !(values instanceof Map<?, ?>)) {
            throw new TemplateException("not all arguments converted during string formatting");
        }
        return out.append(format, from, format.text().length()).build();
    }

    private static Object missing() {
        throw new TemplateException("not enough arguments for format string");
    }

    private static Str one(Matcher field, Object value, Budget budget) {
        String kind = field.group("kind");
        String digits = field.group("digits");
        String flags = field.group("flags");
        int width = field.group("width").isEmpty() ? 0 : Integer.parseInt(field.group("width"));
        budget.text(width);
        Str text = convert(kind, digits, value);
        if (flags.contains("+") && Operators.isNumber(value) && !text.text().startsWith("-")) {
            text = Str.literal("+").plus(text);
        }
        int missing = width - text.length();
        if (missing <= 0) {
            return text;
        }
        if (flags.contains("-")) {
            return text.plus(Str.literal(" ".repeat(missing)));
        }
        if (flags.contains("0") && Operators.isNumber(value)) {
            boolean signed = text.text().startsWith("-") || text.text().startsWith("+");
            int at = signed ? 1 : 0;
            return text.part(0, at)
                    .plus(Str.literal("0".repeat(missing)))
                    .plus(text.part(at, text.text().length()));
        }
        return Str.literal(" ".repeat(missing)).plus(text);
    }

    private static Str convert(String kind, String digits, Object value) {
        int places = digits == null || digits.isEmpty() ? 6 : Integer.parseInt(digits);
        return switch (kind) {
            case "s", "c" -> {
                Str s = Repr.str(value);
                yield digits == null
                        ? s
                        : s.part(0, s.text().offsetByCodePoints(0, Math.min(places, s.length())));
            }
            case "r" -> Repr.repr(value);
            case "d", "i" ->
                    Str.literal(
                            String.valueOf(
                                    value instanceof Double d
                                            ? d.longValue()
                                            : Operators.whole(value)));
            case "x" -> Str.literal(Long.toHexString(Operators.whole(value)));
            case "X" ->
                    Str.literal(Long.toHexString(Operators.whole(value)).toUpperCase(Locale.ROOT));
            case "o" -> Str.literal(Long.toOctalString(Operators.whole(value)));
            case "f" -> Str.literal(fixed(Operators.decimal(value), places));
            default ->
                    Str.literal(
                            String.format(
                                    Locale.ROOT, "%." + places + kind, Operators.decimal(value)));
        };
    }

    static String fixed(double value, int places) {
        if (Double.isNaN(value) || Double.isInfinite(value)) {
            return Repr.decimal(value);
        }
        return new BigDecimal(value).setScale(places, RoundingMode.HALF_EVEN).toPlainString();
    }
}
