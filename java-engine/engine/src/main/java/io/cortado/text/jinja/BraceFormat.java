package io.cortado.text.jinja;

import java.util.Map;

/**
 * Python's {@code str.format}: fields by place or name, with attributes, items, a conversion and a
 * specification. What the format says keeps its origin, as do the values.
 */
final class BraceFormat {
    /** Fields inside specifications, as Python has it. */
    private static final int MAX_NESTING = 2;

    private enum Numbering {
        UNKNOWN,
        AUTOMATIC,
        MANUAL
    }

    private final Arguments arguments;
    private final Budget budget;
    private Numbering numbering = Numbering.UNKNOWN;
    private int next;

    private BraceFormat(Arguments arguments, Budget budget) {
        this.arguments = arguments;
        this.budget = budget;
    }

    static Str format(Str format, Arguments arguments, Budget budget) {
        return new BraceFormat(arguments, budget).run(format, 1);
    }

    /** {@code str.format_map}: all fields have names. */
    static Str format(Str format, Map<Object, Object> values, Budget budget) {
        var named = new java.util.LinkedHashMap<String, Object>();
        values.forEach((name, value) -> named.put(Repr.str(name, budget).text(), value));
        return format(format, new Arguments(java.util.List.of(), named), budget);
    }

    private Str run(Str format, int nesting) {
        String text = format.text();
        var out = new Str.Builder();
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if ((c == '{' || c == '}') && text.startsWith(String.valueOf(c), i + 1)) {
                out.append(format, i, ++i);
            } else if (c == '{') {
                int end = close(text, i);
                out.append(field(format, i + 1, end, nesting));
                i = end;
            } else if (c == '}') {
                throw new TemplateException("single '}' encountered in format string");
            } else {
                int end = i + 1;
                while (end < text.length() && text.charAt(end) != '{' && text.charAt(end) != '}') {
                    end++;
                }
                out.append(format, i, end);
                i = end - 1;
            }
            budget.step();
            budget.bound(out.length());
        }
        budget.text(out.length());
        return out.build();
    }

    private static int close(String text, int open) {
        int depth = 0;
        for (int i = open; i < text.length(); i++) {
            depth += text.charAt(i) == '{' ? 1 : text.charAt(i) == '}' ? -1 : 0;
            if (depth == 0) {
                return i;
            }
        }
        throw new TemplateException("expected '}' before end of string");
    }

    private Str field(Str format, int start, int end, int nesting) {
        String text = format.text();
        int nameEnd = start;
        while (nameEnd < end && text.charAt(nameEnd) != '!' && text.charAt(nameEnd) != ':') {
            // An index may hold a colon.
            nameEnd = text.charAt(nameEnd) == '[' ? skipIndex(text, nameEnd, end) : nameEnd + 1;
        }
        Object value = value(text.substring(start, nameEnd));
        int specStart = nameEnd;
        if (nameEnd < end && text.charAt(nameEnd) == '!') {
            specStart = nameEnd + 2;
            value = converted(value, specStart <= end ? text.charAt(nameEnd + 1) : 0);
            if (specStart < end && text.charAt(specStart) != ':') {
                throw new TemplateException("expected ':' after conversion specifier");
            }
        }
        String spec = specStart < end ? text.substring(specStart + 1, end) : "";
        if (spec.indexOf('{') >= 0 || spec.indexOf('}') >= 0) {
            if (nesting >= MAX_NESTING) {
                throw new TemplateException("format fields nested too deep: limit=" + MAX_NESTING);
            }
            spec = run(Str.literal(spec), nesting + 1).text();
        }
        return FormatSpec.format(value, spec, budget);
    }

    private static int skipIndex(String text, int open, int end) {
        int close = text.indexOf(']', open);
        if (close < 0 || close >= end) {
            throw new TemplateException("missing ']' in format string");
        }
        return close + 1;
    }

    private Object converted(Object value, char conversion) {
        return switch (conversion) {
            case 's' -> Repr.str(value, budget);
            case 'r' -> Repr.repr(value, budget);
            case 'a' -> PercentFormat.ascii(Repr.repr(value, budget));
            default -> throw new TemplateException("unknown conversion specifier: " + conversion);
        };
    }

    /** {@code name.attribute[item]}, through the same door as the template's own expressions. */
    private Object value(String path) {
        int at = 0;
        while (at < path.length() && path.charAt(at) != '.' && path.charAt(at) != '[') {
            at++;
        }
        Object value = first(path.substring(0, at));
        while (at < path.length()) {
            budget.step();
            if (path.charAt(at) == '[') {
                int close = skipIndex(path, at, path.length()) - 1;
                value = Subscripts.item(value, key(path.substring(at + 1, close)), budget);
                at = close + 1;
            } else {
                int end = at + 1;
                while (end < path.length() && path.charAt(end) != '.' && path.charAt(end) != '[') {
                    end++;
                }
                value = Subscripts.attribute(value, path.substring(at + 1, end), budget);
                at = end;
            }
        }
        return value;
    }

    private Object first(String name) {
        if (!name.isEmpty() && !isIndex(name)) {
            Object named = arguments.named().get(name);
            if (named == null) {
                throw new TemplateException("format field not given: field=" + name);
            }
            return named;
        }
        Numbering asked = name.isEmpty() ? Numbering.AUTOMATIC : Numbering.MANUAL;
        if (numbering != Numbering.UNKNOWN && numbering != asked) {
            throw new TemplateException(
                    "format fields must be numbered all by themselves or all by hand");
        }
        numbering = asked;
        int index = name.isEmpty() ? next++ : Integer.parseInt(name);
        if (index >= arguments.positional().size()) {
            throw new TemplateException(
                    "format field out of range: field="
                            + index
                            + " arguments="
                            + arguments.positional().size());
        }
        return arguments.positional().get(index);
    }

    private static Object key(String text) {
        return isIndex(text) ? (Object) Long.parseLong(text) : Str.literal(text);
    }

    private static boolean isIndex(String text) {
        return !text.isEmpty()
                && text.length() < 10
                && text.chars().allMatch(c -> c >= '0' && c <= '9');
    }
}
