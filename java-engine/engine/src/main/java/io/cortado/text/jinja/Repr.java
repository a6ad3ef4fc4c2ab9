package io.cortado.text.jinja;

import io.cortado.text.Origin;
import java.math.BigDecimal;
import java.util.List;
import java.util.Map;

/** How Python prints values: {@code str} at the top, {@code repr} inside containers. */
final class Repr {
    private static final int MAX_NESTING = 200;

    private final Str.Builder out = new Str.Builder();
    private int nesting;

    private Repr() {}

    static Str str(Object value) {
        return switch (value) {
            case Str s -> s;
            case Undefined _ -> Str.EMPTY;
            default -> repr(value);
        };
    }

    static Str repr(Object value) {
        var repr = new Repr();
        repr.append(value);
        return repr.out.build();
    }

    private void append(Object value) {
        if (++nesting > MAX_NESTING) {
            throw new TemplateException("value nested too deep to print: limit=" + MAX_NESTING);
        }
        switch (value) {
            case None _ -> literal("None");
            case Boolean b -> literal(b ? "True" : "False");
            case Double d -> literal(decimal(d));
            case Str s -> out.append(quote(s.text()), s.origin());
            case List<?> list -> list("[", Operators.objects(list), "]");
            case Tuple tuple -> list("(", tuple.items(), tuple.items().size() == 1 ? ",)" : ")");
            case Map<?, ?> map -> map(Operators.map(map));
            case DictView view -> list(view.kind() + "([", view.items(), "])");
            case Undefined _ -> literal("Undefined");
            case Namespace _ -> literal("<Namespace>");
            case Long n -> literal(n.toString());
            case java.math.BigInteger n -> literal(n.toString());
            case Generator _ -> literal("<generator object>");
            default -> literal("<function>");
        }
        nesting--;
    }

    private void literal(String text) {
        out.append(text, Origin.TEMPLATE);
    }

    private void list(String open, List<Object> items, String close) {
        literal(open);
        for (int i = 0; i < items.size(); i++) {
            if (i > 0) {
                literal(", ");
            }
            append(items.get(i));
        }
        literal(close);
    }

    private void map(Map<Object, Object> map) {
        String separator = "{";
        for (Map.Entry<Object, Object> entry : map.entrySet()) {
            literal(separator);
            append(entry.getKey());
            literal(": ");
            append(entry.getValue());
            separator = ", ";
        }
        literal(map.isEmpty() ? "{}" : "}");
    }

    private static String quote(String text) {
        char quote = text.indexOf('\'') >= 0 && text.indexOf('"') < 0 ? '"' : '\'';
        var out = new StringBuilder().append(quote);
        text.codePoints()
                .forEach(c -> {
                    switch (c) {
                        case '\n' -> out.append("\\n");
                        case '\r' -> out.append("\\r");
                        case '\t' -> out.append("\\t");
                        case '\\' -> out.append("\\\\");
                        default -> {
                            if (c == quote) {
                                out.append('\\').append(quote);
                            } else if (isPrintable(c)) {
                                out.appendCodePoint(c);
                            } else {
                                String format =
                                        c < 0x100 ? "\\x%02x" : c < 0x10000 ? "\\u%04x" : "\\U%08x";
                                out.append(String.format(format, c));
                            }
                        }
                    }
                });
        return out.append(quote).toString();
    }

    private static boolean isPrintable(int c) {
        return switch (Character.getType(c)) {
            case Character.CONTROL,
                    Character.FORMAT,
                    Character.SURROGATE,
                    Character.PRIVATE_USE,
                    Character.UNASSIGNED,
                    Character.LINE_SEPARATOR,
                    Character.PARAGRAPH_SEPARATOR ->
                    false;
            case Character.SPACE_SEPARATOR -> c == ' ';
            default -> true;
        };
    }

    /**
     * The shortest digits that read back as the same number, with an exponent from 1e16 and below
     * 1e-4.
     */
    static String decimal(double value) {
        if (Double.isNaN(value)) {
            return "nan";
        }
        if (Double.isInfinite(value)) {
            return value > 0 ? "inf" : "-inf";
        }
        if (value == 0) {
            return 1 / value < 0 ? "-0.0" : "0.0";
        }
        BigDecimal exact = new BigDecimal(Double.toString(value)).stripTrailingZeros();
        int exponent = exact.precision() - exact.scale() - 1;
        if (exponent >= -4 && exponent < 16) {
            String plain = exact.toPlainString();
            return plain.indexOf('.') < 0 ? plain + ".0" : plain;
        }
        String digits = exact.unscaledValue().abs().toString();
        String mantissa =
                digits.length() == 1 ? digits : digits.charAt(0) + "." + digits.substring(1);
        return (value < 0 ? "-" : "")
                + mantissa
                + (exponent < 0 ? "e-" : "e+")
                + (Math.abs(exponent) < 10 ? "0" : "")
                + Math.abs(exponent);
    }
}
