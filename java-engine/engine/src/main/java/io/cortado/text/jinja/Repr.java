package io.cortado.text.jinja;

import io.cortado.text.Origin;
import java.math.BigDecimal;
import java.math.MathContext;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** How Python prints values: {@code str} at the top, {@code repr} inside containers. */
final class Repr {
    private static final int MAX_NESTING = 200;

    private final Budget budget;
    private final boolean sortsKeys;
    private final Str.Builder out = new Str.Builder();
    private int nesting;

    private Repr(Budget budget, boolean sortsKeys) {
        this.budget = budget;
        this.sortsKeys = sortsKeys;
    }

    static Str str(Object value, Budget budget) {
        return switch (value) {
            case Str s -> s;
            case Undefined _ -> Str.EMPTY;
            default -> repr(value, budget);
        };
    }

    static Str repr(Object value, Budget budget) {
        return repr(value, budget, false);
    }

    /** As pprint prints what fits on a line: the keys of mappings are sorted. */
    static Str sorted(Object value, Budget budget) {
        return repr(value, budget, true);
    }

    private static Str repr(Object value, Budget budget, boolean sortsKeys) {
        var repr = new Repr(budget, sortsKeys);
        repr.append(value);
        return repr.out.build();
    }

    private void append(Object value) {
        budget.step();
        budget.bound(out.length());
        if (++nesting > MAX_NESTING) {
            throw TemplateException.budget("value nested too deep to print: limit=" + MAX_NESTING);
        }
        switch (value) {
            case None _ -> literal("None");
            case Boolean b -> literal(b ? "True" : "False");
            case Double d -> literal(decimal(d));
            case Str s -> quoted(s);
            case List<?> list -> list("[", Operators.objects(list), "]");
            case Tuple tuple -> list("(", tuple.items(), tuple.items().size() == 1 ? ",)" : ")");
            case Map<?, ?> map -> map(Operators.map(map));
            case DictView view -> list(view.kind() + "([", view.items(), "])");
            case Undefined _ -> literal("Undefined");
            case Range range -> literal(range.toString());
            case Namespace namespace -> {
                literal("<Namespace ");
                var attributes = new LinkedHashMap<Object, Object>();
                namespace.attributes().forEach((k, v) -> attributes.put(Str.name(k), v));
                map(attributes);
                literal(">");
            }
            case LoopState loop -> literal(loop.toString());
            case Long n -> literal(n.toString());
            case java.math.BigInteger n -> literal(n.toString());
            case Generator _ -> literal("<generator object>");
            default -> literal("<function>");
        }
        nesting--;
    }

    private void quoted(Str s) {
        budget.text(s.text().length());
        literal(s.isMarkup() ? "Markup(" : "");
        out.append(quote(s.text()), s.origin());
        literal(s.isMarkup() ? ")" : "");
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
        List<Object> keys = new ArrayList<>(map.keySet());
        if (sortsKeys) {
            keys.sort((a, b) -> Operators.compare(a, b, budget));
        }
        String separator = "{";
        for (Object key : keys) {
            literal(separator);
            append(key);
            literal(": ");
            append(map.getOrDefault(key, None.NONE));
            separator = ", ";
        }
        literal(map.isEmpty() ? "{}" : "}");
    }

    static String quote(String text) {
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
                                out.append(escaped(c));
                            }
                        }
                    }
                });
        return out.append(quote).toString();
    }

    /** A character by its number: two, four or eight digits. */
    static String escaped(int c) {
        HexFormat hex = HexFormat.of();
        return c < 0x100
                ? "\\x" + hex.toHexDigits(c, 2)
                : c < 0x10000 ? "\\u" + hex.toHexDigits(c, 4) : "\\U" + hex.toHexDigits(c, 8);
    }

    static boolean isPrintable(int c) {
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
        BigDecimal shorter = exact.round(new MathContext(1));
        if (exact.precision() == 2 && shorter.doubleValue() == value) {
            exact = shorter.stripTrailingZeros(); // Double.toString never gives fewer than two
            // digits
        }
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
