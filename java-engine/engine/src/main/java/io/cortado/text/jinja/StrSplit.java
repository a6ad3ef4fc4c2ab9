package io.cortado.text.jinja;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The methods of str that cut a text. Parts keep the origin of their characters. */
final class StrSplit {
    private StrSplit() {}

    static @Nullable Callable find(Str s, String name, Budget budget) {
        return switch (name) {
            case "split" -> args -> split(s, args, budget);
            case "rsplit" -> args -> splitFromEnd(s, args, budget);
            case "splitlines" -> args -> lines(s, args.truth(0, "keepends", false), budget);
            case "partition" -> args -> partition(s, args, true);
            case "rpartition" -> args -> partition(s, args, false);
            default -> null;
        };
    }

    private static Object split(Str s, Arguments args, Budget budget) {
        args.known("split", "sep", "maxsplit");
        long most = args.whole(1, "maxsplit", -1);
        Object separator = args.optional(0, "sep", None.NONE);
        if (separator == None.NONE) {
            return spaces(s, most, budget);
        }
        String sep = nonEmpty(separator);
        var parts = new ArrayList<Object>();
        int from = 0;
        for (int i = TextSearch.first(s.text(), sep, 0);
                i >= 0 && (most < 0 || parts.size() < most);
                i = TextSearch.first(s.text(), sep, from)) {
            budget.items(1);
            budget.step();
            parts.add(s.part(from, i));
            from = i + sep.length();
        }
        parts.add(s.part(from, s.text().length()));
        return parts;
    }

    /** Words between white space; the last of {@code most} cuts leaves the rest as it is. */
    static List<Object> spaces(Str s, long most, Budget budget) {
        var parts = new ArrayList<Object>();
        String text = s.text();
        int i = 0;
        while (true) {
            while (i < text.length() && Strings.isSpace(text.charAt(i))) {
                i++;
            }
            if (i == text.length()) {
                return parts;
            }
            int start = i;
            boolean takesRest = most >= 0 && parts.size() >= most;
            while (i < text.length() && (takesRest || !Strings.isSpace(text.charAt(i)))) {
                i++;
            }
            budget.items(1);
            budget.step();
            parts.add(s.part(start, i));
        }
    }

    private static Object splitFromEnd(Str s, Arguments args, Budget budget) {
        args.known("rsplit", "sep", "maxsplit");
        long most = args.whole(1, "maxsplit", -1);
        Object separator = args.optional(0, "sep", None.NONE);
        if (separator == None.NONE) {
            return most < 0 ? spaces(s, most, budget) : spacesFromEnd(s, most, budget);
        }
        String sep = nonEmpty(separator);
        var parts = new ArrayList<Object>();
        int end = s.text().length();
        for (int i = TextSearch.last(s.text(), sep, end - sep.length());
                i >= 0 && (most < 0 || parts.size() < most);
                i = end < sep.length() ? -1 : TextSearch.last(s.text(), sep, end - sep.length())) {
            budget.items(1);
            budget.step();
            parts.add(s.part(i + sep.length(), end));
            end = i;
        }
        parts.add(s.part(0, end));
        return parts.reversed();
    }

    private static List<Object> spacesFromEnd(Str s, long most, Budget budget) {
        var parts = new ArrayList<Object>();
        String text = s.text();
        int i = text.length();
        while (true) {
            while (i > 0 && Strings.isSpace(text.charAt(i - 1))) {
                i--;
            }
            if (i == 0) {
                return parts.reversed();
            }
            int end = i;
            boolean takesRest = parts.size() >= most;
            while (i > 0 && (takesRest || !Strings.isSpace(text.charAt(i - 1)))) {
                i--;
            }
            budget.items(1);
            budget.step();
            parts.add(s.part(i, end));
        }
    }

    private static String nonEmpty(Object separator) {
        String sep = Operators.text(separator, "separator").text();
        if (sep.isEmpty()) {
            throw new TemplateException("empty separator");
        }
        return sep;
    }

    static List<Object> lines(Str s, boolean keepEnds, Budget budget) {
        var lines = new ArrayList<Object>();
        String text = s.text();
        int start = 0;
        for (int i = 0; i < text.length(); i++) {
            if (!isLineEnd(text.charAt(i))) {
                continue;
            }
            int end = i;
            if (text.charAt(i) == '\r' && i + 1 < text.length() && text.charAt(i + 1) == '\n') {
                i++;
            }
            budget.items(1);
            budget.step();
            lines.add(s.part(start, keepEnds ? i + 1 : end));
            start = i + 1;
        }
        if (start < text.length()) {
            lines.add(s.part(start, text.length()));
        }
        return lines;
    }

    private static boolean isLineEnd(char c) {
        return (c >= '\n' && c <= '\r')
                || (c >= 0x1C && c <= 0x1E)
                || c == 0x85
                || c == 0x2028
                || c == 0x2029;
    }

    private static Object partition(Str s, Arguments args, boolean isFirst) {
        args.exactly(1, isFirst ? "partition" : "rpartition");
        Str sep = args.text(0, "sep");
        nonEmpty(sep);
        int at =
                isFirst
                        ? TextSearch.first(s.text(), sep.text(), 0)
                        : TextSearch.last(s.text(), sep.text(), s.text().length());
        if (at < 0) {
            return new Tuple(
                    isFirst ? List.of(s, Str.EMPTY, Str.EMPTY) : List.of(Str.EMPTY, Str.EMPTY, s));
        }
        return new Tuple(
                List.of(s.part(0, at), sep, s.part(at + sep.text().length(), s.text().length())));
    }
}
