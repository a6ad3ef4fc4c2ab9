package io.cortado.text.jinja;

/**
 * Python's {@code str.format} with plain fields: {@code {}}, {@code {0}}, {@code {name}} and
 * doubled braces.
 */
final class BraceFormat {
    private BraceFormat() {}

    static Str format(Str format, Arguments arguments, Budget budget) {
        String text = format.text();
        var out = new Str.Builder();
        int next = 0;
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if ((c == '{' || c == '}') && i + 1 < text.length() && text.charAt(i + 1) == c) {
                out.append(format, i, i + 1);
                i++;
            } else if (c == '{') {
                int end = text.indexOf('}', i);
                if (end < 0) {
                    throw new TemplateException("expected '}' before end of string");
                }
                String field = text.substring(i + 1, end);
                out.append(
                        Repr.str(
                                value(
                                        field.isEmpty() ? String.valueOf(next++) : field,
                                        arguments)));
                budget.step();
                budget.bound(out.length());
                i = end;
            } else if (c == '}') {
                throw new TemplateException("single '}' encountered in format string");
            } else {
                out.append(format, i, i + 1);
            }
        }
        return out.build();
    }

    private static Object value(String field, Arguments arguments) {
        if (field.chars().allMatch(c -> c >= '0' && c <= '9') && field.length() < 6) {
            int index = Integer.parseInt(field);
            if (index < arguments.positional().size()) {
                return arguments.positional().get(index);
            }
        }
        Object named = arguments.named().get(field);
        if (named == null) {
            throw new TemplateException("format field not given or not supported: field=" + field);
        }
        return named;
    }
}
