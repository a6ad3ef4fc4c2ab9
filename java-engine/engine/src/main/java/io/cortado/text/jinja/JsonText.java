package io.cortado.text.jinja;

import io.cortado.text.Origin;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;

/**
 * {@code tojson} as Hugging Face has it: Python's json.dumps without escapes of letters beyond
 * ASCII.
 */
final class JsonText {
    private static final int MAX_NESTING = 200;

    private final Str.Builder out = new Str.Builder();
    private final Str indent;
    private final boolean pretty;
    private final Str itemSeparator;
    private final Str keySeparator;
    private final boolean sortKeys;
    private final boolean ensureAscii;
    private final Budget budget;
    private int nesting;

    private JsonText(Arguments arguments, Budget budget) {
        this.budget = budget;
        Object indentation = arguments.optional(1, "indent", None.NONE);
        pretty = indentation != None.NONE;
        indent =
                switch (indentation) {
                    case Str s -> s;
                    case None _ -> Str.EMPTY;
                    default -> {
                        long width = Math.max(0, Operators.whole(indentation));
                        budget.text(width);
                        yield Str.literal(" ".repeat((int) width));
                    }
                };
        Object separators = arguments.optional(2, "separators", None.NONE);
        if (separators == None.NONE) {
            itemSeparator = Str.literal(pretty ? "," : ", ");
            keySeparator = Str.literal(": ");
        } else {
            List<Object> pair = Operators.items(separators, budget);
            if (pair.size() != 2) {
                throw new TemplateException(
                        "tojson separators must be a pair: items=" + pair.size());
            }
            itemSeparator = Operators.text(pair.get(0), "separator");
            keySeparator = Operators.text(pair.get(1), "separator");
        }
        ensureAscii = arguments.truth(0, "ensure_ascii", false);
        sortKeys = arguments.truth(3, "sort_keys", false);
    }

    /** Arguments, in this order or by name: ensure_ascii, indent, separators, sort_keys. */
    static Str of(Object value, Arguments arguments, Budget budget) {
        arguments.known("tojson", "ensure_ascii", "indent", "separators", "sort_keys");
        var json = new JsonText(arguments, budget);
        json.append(value);
        return json.out.build();
    }

    private void append(Object value) {
        budget.step();
        budget.bound(out.length());
        switch (value) {
            case None _ -> literal("null");
            case Boolean b -> literal(b ? "true" : "false");
            case Long n -> literal(n.toString());
            case BigInteger n -> literal(n.toString());
            case Double d -> literal(number(d));
            case Str s -> string(s);
            case List<?> list -> list(Operators.objects(list));
            case Tuple tuple -> list(tuple.items());
            case Map<?, ?> map -> map(Operators.map(map));
            default ->
                    throw new TemplateException(
                            "Object of type "
                                    + Operators.typeName(value)
                                    + " is not JSON serializable");
        }
    }

    private void list(List<Object> items) {
        if (items.isEmpty()) {
            literal("[]");
            return;
        }
        enter("[");
        for (int i = 0; i < items.size(); i++) {
            if (i > 0) {
                out.append(itemSeparator);
            }
            newLine();
            append(items.get(i));
        }
        leave("]");
    }

    private void map(Map<Object, Object> map) {
        if (map.isEmpty()) {
            literal("{}");
            return;
        }
        enter("{");
        var entries = new ArrayList<>(map.entrySet());
        if (sortKeys) {
            entries.sort((a, b) -> Operators.compare(a.getKey(), b.getKey(), budget));
        }
        boolean first = true;
        for (Map.Entry<Object, Object> entry : entries) {
            if (!first) {
                out.append(itemSeparator);
            }
            first = false;
            newLine();
            string(key(entry.getKey()));
            out.append(keySeparator);
            append(entry.getValue());
        }
        leave("}");
    }

    private static Str key(Object key) {
        return switch (key) {
            case Str s -> s;
            case None _ -> Str.literal("null");
            case Boolean b -> Str.literal(b ? "true" : "false");
            case Double d -> Str.literal(number(d));
            case Long n -> Str.literal(n.toString());
            default ->
                    throw new TemplateException(
                            "keys must be str, int, float, bool or None, not "
                                    + Operators.typeName(key));
        };
    }

    private void string(Str s) {
        budget.text(s.text().length());
        out.append(quote(s.text()), s.origin());
    }

    private void enter(String open) {
        if (++nesting > MAX_NESTING) {
            throw TemplateException.budget(
                    "value nested too deep for tojson: limit=" + MAX_NESTING);
        }
        literal(open);
    }

    private void leave(String close) {
        nesting--;
        newLine();
        literal(close);
    }

    private void newLine() {
        if (pretty) {
            literal("\n");
            for (int i = 0; i < nesting; i++) {
                out.append(indent);
            }
            budget.step(nesting);
            budget.bound(out.length());
        }
    }

    private void literal(String text) {
        out.append(text, Origin.TEMPLATE);
    }

    private static String number(double value) {
        if (Double.isNaN(value)) {
            return "NaN";
        }
        return Double.isInfinite(value)
                ? (value > 0 ? "Infinity" : "-Infinity")
                : Repr.decimal(value);
    }

    private String quote(String text) {
        var quoted = new StringBuilder(text.length() + 2).append('"');
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            switch (c) {
                case '"' -> quoted.append("\\\"");
                case '\\' -> quoted.append("\\\\");
                case '\n' -> quoted.append("\\n");
                case '\r' -> quoted.append("\\r");
                case '\t' -> quoted.append("\\t");
                case '\b' -> quoted.append("\\b");
                case '\f' -> quoted.append("\\f");
                default -> {
                    if (c < 0x20 || (ensureAscii && c > 0x7E)) {
                        quoted.append("\\u").append(HexFormat.of().toHexDigits(c));
                    } else {
                        quoted.append(c);
                    }
                }
            }
        }
        return quoted.append('"').toString();
    }
}
