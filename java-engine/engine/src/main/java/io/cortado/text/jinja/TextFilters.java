package io.cortado.text.jinja;

import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;

/** The filters that read a text and give another. */
final class TextFilters {
    static final Set<String> NAMES =
            Set.of(
                    "capitalize",
                    "center",
                    "e",
                    "escape",
                    "forceescape",
                    "format",
                    "indent",
                    "lower",
                    "replace",
                    "safe",
                    "string",
                    "striptags",
                    "title",
                    "trim",
                    "truncate",
                    "upper",
                    "urlencode",
                    "wordcount",
                    "wordwrap",
                    "xmlattr");

    private static final Pattern WORD =
            Pattern.compile("[\\p{L}\\p{N}\\p{M}_]+", Pattern.UNICODE_CHARACTER_CLASS);

    private final Budget budget;

    TextFilters(Budget budget) {
        this.budget = budget;
    }

    Object run(String name, Object value, Arguments args) {
        return switch (name) {
            case "format" -> format(text(value), args);
            case "indent" -> indent(Operators.text(value, "indent's input"), args);
            case "truncate" ->
                    value instanceof Undefined
                            ? value
                            : truncate(Operators.text(value, "truncate's input"), args);
            case "urlencode" -> urlEncode(value, args);
            case "wordwrap" ->
                    WordWrap.wrap(Operators.text(value, "wordwrap's input"), args, budget);
            case "xmlattr" -> attributes(value, args);
            case "replace" -> replace(text(value), args);
            case "center" -> {
                args.known("center", "width");
                yield StrChange.pad(
                        text(value),
                        "center",
                        new Arguments(List.of(args.whole(0, "width", 80)), Map.of()),
                        budget);
            }
            case "trim" -> {
                args.known("trim", "chars");
                yield StrChange.strip(text(value), args, true, true);
            }
            default -> {
                args.exactly(0, name);
                yield plain(name, text(value));
            }
        };
    }

    private Str text(Object value) {
        Str s = Repr.str(value, budget);
        budget.scan(s.text().length());
        return s;
    }

    private Object plain(String name, Str s) {
        return switch (name) {
            case "upper" -> StrChange.upper(s, budget);
            case "lower" -> StrChange.lower(s, budget);
            case "capitalize" -> StrChange.capitalize(s, budget);
            case "title" -> title(s);
            case "safe" -> s.markup(true);
            case "e", "escape" -> Html.markup(s, budget);
            case "forceescape" -> Html.escape(s, budget);
            case "striptags" -> Html.stripTags(s, budget);
            case "wordcount" -> WORD.matcher(s.text()).results().count();
            default -> s;
        };
    }

    /** A word begins after white space, a hyphen or an opening bracket, also inside itself. */
    private Str title(Str s) {
        budget.text(s.text().length());
        var out = new StringBuilder();
        boolean begins = true;
        for (int c : s.text().codePoints().toArray()) {
            String letter = Character.toString(c);
            out.append(begins ? letter.toUpperCase(Locale.ROOT) : letter.toLowerCase(Locale.ROOT));
            begins = Strings.isSpace(c) || "-([{<".indexOf(c) >= 0;
        }
        return s.derive(out.toString());
    }

    private Object format(Str format, Arguments args) {
        if (!args.named().isEmpty() && !args.positional().isEmpty()) {
            throw new TemplateException(
                    "format takes arguments by place or by name, not both at once");
        }
        var named = new LinkedHashMap<Object, Object>();
        args.named().forEach((name, value) -> named.put(Str.name(name), value));
        return PercentFormat.format(
                format, named.isEmpty() ? new Tuple(args.positional()) : named, budget);
    }

    private Object replace(Str s, Arguments args) {
        args.known("replace", "old", "new", "count");
        Object count = args.optional(2, "count", None.NONE);
        return StrChange.replace(
                s,
                Repr.str(args.required(0, "old"), budget),
                Repr.str(args.required(1, "new"), budget),
                count == None.NONE ? -1 : Operators.whole(count),
                budget);
    }

    private Str indent(Str s, Arguments args) {
        args.known("indent", "width", "first", "blank");
        Object width = args.optional(0, "width", 4L);
        boolean first = args.truth(1, "first", false);
        boolean blank = args.truth(2, "blank", false);
        Str prefix;
        if (width instanceof Str given) {
            prefix = given;
        } else {
            long spaces = Math.max(0, Operators.whole(width));
            budget.text(spaces);
            prefix = Str.literal(" ".repeat((int) spaces));
        }
        // Jinja2 adds a line end first, so that one at the end counts as an empty line.
        List<Object> lines =
                StrSplit.lines(s.plus(Str.literal("\n").markup(s.isMarkup())), false, budget);
        var out = new Str.Builder();
        for (int i = 0; i < lines.size(); i++) {
            Str line = (Str) lines.get(i);
            boolean indented = i == 0 ? first : blank || !line.isEmpty();
            out.append(Str.literal(i > 0 ? "\n" : ""));
            out.append(indented ? prefix : Str.EMPTY).append(line);
            budget.step();
            budget.bound(out.length());
        }
        budget.text(out.length());
        return out.build().markup(s.isMarkup());
    }

    private Str truncate(Str s, Arguments args) {
        args.known("truncate", "length", "killwords", "end", "leeway");
        long length = args.whole(0, "length", 255);
        boolean killWords = args.truth(1, "killwords", false);
        Str end = args.has(2, "end") ? args.text(2, "end") : Str.literal("...");
        Object leeway = args.optional(3, "leeway", None.NONE);
        long slack = leeway == None.NONE ? 5 : Operators.whole(leeway);
        if (length < end.length() || slack < 0) {
            throw new TemplateException(
                    "truncate needs length >= "
                            + end.length()
                            + " and leeway >= 0: length="
                            + length
                            + " leeway="
                            + slack);
        }
        if (s.length() <= Math.min(length, Integer.MAX_VALUE) + slack) {
            return s;
        }
        Str cut = s.part(0, s.text().offsetByCodePoints(0, (int) (length - end.length())));
        int space = killWords ? -1 : cut.text().lastIndexOf(' ');
        return (space < 0 ? cut : cut.part(0, space)).plus(end);
    }

    private Object urlEncode(Object value, Arguments args) {
        args.exactly(0, "urlencode");
        if (value instanceof Str || !Operators.isIterable(value)) {
            Str s = text(value);
            return s.derive(quoted(s.text(), true));
        }
        List<Object> pairs =
                value instanceof Map<?, ?> map
                        ? MapMethods.pairs(Operators.map(map), budget)
                        : Operators.items(value, budget);
        var out = new Str.Builder();
        for (Object pair : pairs) {
            List<Object> both = Operators.items(pair, budget);
            if (both.size() != 2) {
                throw new TemplateException("urlencode needs pairs: items=" + both.size());
            }
            Str key = text(both.get(0));
            Str item = text(both.get(1));
            out.append(Str.literal(out.length() > 0 ? "&" : ""))
                    .append(key.derive(quoted(key.text(), false)))
                    .append(Str.literal("="))
                    .append(item.derive(quoted(item.text(), false)));
            budget.step();
            budget.bound(out.length());
        }
        return out.build();
    }

    private String quoted(String text, boolean isPath) {
        budget.text(3L * text.length());
        String encoded =
                java.net.URLEncoder.encode(text, StandardCharsets.UTF_8)
                        .replace("%7E", "~")
                        .replace("*", "%2A");
        return isPath ? encoded.replace("+", "%20").replace("%2F", "/") : encoded;
    }

    private Object attributes(Object value, Arguments args) {
        args.known("xmlattr", "autospace");
        if (!(value instanceof Map<?, ?> map)) {
            throw new TemplateException(
                    "xmlattr needs a mapping, got " + Operators.typeName(value));
        }
        return Html.attributes(Operators.map(map), args.truth(0, "autospace", true), budget);
    }
}
