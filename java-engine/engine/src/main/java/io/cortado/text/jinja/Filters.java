package io.cortado.text.jinja;

import java.util.Locale;
import java.util.Map;
import java.util.Set;

/**
 * What may stand after a bar: the filters of values and texts; {@link ListFilters} has those of
 * lists.
 */
final class Filters {
    /** All names, for the test {@code filter}. */
    static final Set<String> NAMES =
            Set.of(
                    "abs",
                    "attr",
                    "batch",
                    "capitalize",
                    "center",
                    "count",
                    "d",
                    "default",
                    "dictsort",
                    "e",
                    "escape",
                    "first",
                    "float",
                    "forceescape",
                    "format",
                    "groupby",
                    "indent",
                    "int",
                    "items",
                    "join",
                    "last",
                    "length",
                    "list",
                    "lower",
                    "map",
                    "max",
                    "min",
                    "reject",
                    "rejectattr",
                    "replace",
                    "reverse",
                    "round",
                    "safe",
                    "select",
                    "selectattr",
                    "slice",
                    "sort",
                    "string",
                    "sum",
                    "title",
                    "tojson",
                    "trim",
                    "truncate",
                    "unique",
                    "upper",
                    "urlencode",
                    "wordcount");

    private final Budget budget;
    private final ListFilters lists;

    Filters(Budget budget) {
        this.budget = budget;
        this.lists = new ListFilters(this, budget);
    }

    Budget budget() {
        return budget;
    }

    Object run(String name, Object value, Arguments args) {
        budget.step();
        return switch (name) {
            case "default", "d" -> orDefault(value, args);
            case "length", "count" -> length(value);
            case "string", "safe" -> Repr.str(value);
            case "tojson" -> JsonText.of(value, args, budget);
            case "items" -> items(value);
            case "abs" ->
                    value instanceof Double d
                            ? (Object) Math.abs(d)
                            : (Object) Math.abs(Operators.whole(value));
            case "int" -> toInt(value, args);
            case "float" -> toFloat(value, args);
            case "round" -> round(value, args);
            case "attr" -> attr(value, args);
            case "pprint" -> Repr.repr(value);
            case "first",
                    "last",
                    "list",
                    "join",
                    "map",
                    "select",
                    "reject",
                    "selectattr",
                    "rejectattr",
                    "sort",
                    "dictsort",
                    "unique",
                    "reverse",
                    "sum",
                    "min",
                    "max",
                    "batch",
                    "slice",
                    "groupby" ->
                    lists.run(name, value, args);
            default -> text(name, value instanceof Undefined ? Str.EMPTY : Repr.str(value), args);
        };
    }

    private Object text(String name, Str s, Arguments args) {
        budget.text(s.text().length());
        return switch (name) {
            case "upper" -> s.derive(s.text().toUpperCase(Locale.ROOT));
            case "lower" -> s.derive(s.text().toLowerCase(Locale.ROOT));
            case "capitalize" -> StrMethods.capitalize(s);
            case "title" -> StrMethods.title(s, c -> Strings.isSpace(c) || "-([{<".indexOf(c) >= 0);
            case "trim" -> StrMethods.strip(s, args, true, true);
            case "replace" ->
                    StrMethods.replace(
                            s,
                            args.text(0, "old"),
                            args.text(1, "new"),
                            args.has(2, "count") ? args.whole(2, "count", -1) : -1,
                            budget);
            case "indent" -> indent(s, args);
            case "e", "escape", "forceescape" -> escape(s);
            case "center" ->
                    method(
                            s,
                            "center",
                            new Arguments(java.util.List.of(args.whole(0, "width", 80)), Map.of()));
            case "format" ->
                    PercentFormat.format(
                            s,
                            args.named().isEmpty() ? new Tuple(args.positional()) : kwargs(args),
                            budget);
            case "truncate" -> truncate(s, args);
            case "wordcount" ->
                    (long) s.text().split("[^\\p{L}\\p{N}_]+", 0).length
                            - (s.text().matches("(?s)^[^\\p{L}\\p{N}_].*") || s.isEmpty() ? 1 : 0);
            case "urlencode" ->
                    s.derive(
                            java.net.URLEncoder.encode(
                                            s.text(), java.nio.charset.StandardCharsets.UTF_8)
                                    .replace("+", "%20")
                                    .replace("%2F", "/")
                                    .replace("%7E", "~")
                                    .replace("*", "%2A"));
            default -> throw new TemplateException("no filter named '" + name + "'");
        };
    }

    private Object method(Str s, String name, Arguments args) {
        Callable method = StrMethods.find(s, name, budget);
        if (method == null) {
            throw new TemplateException("no filter named '" + name + "'");
        }
        return method.call(args);
    }

    private static Object kwargs(Arguments args) {
        var map = new java.util.LinkedHashMap<Object, Object>();
        args.named().forEach((name, value) -> map.put(Str.literal(name), value));
        return map;
    }

    private static Object orDefault(Object value, Arguments args) {
        boolean replace =
                value instanceof Undefined
                        || (args.truth(1, "boolean", false) && !Operators.isTrue(value));
        return replace ? args.optional(0, "default_value", Str.EMPTY) : value;
    }

    private static Object length(Object value) {
        if (value instanceof Str s) {
            return (long) s.length();
        }
        if (value instanceof Generator || Operators.itemsOrNull(value) == null) {
            throw new TemplateException(
                    "object of type '" + Operators.typeName(value) + "' has no len()");
        }
        return (long) Operators.items(value).size();
    }

    private static Object items(Object value) {
        return switch (value) {
            case Map<?, ?> map -> new Generator(MapMethods.pairs(Operators.map(map)));
            case Undefined _ -> new Generator(java.util.List.of());
            default ->
                    throw new TemplateException(
                            "can only get item pairs from a mapping, got "
                                    + Operators.typeName(value));
        };
    }

    private static Object toInt(Object value, Arguments args) {
        try {
            return switch (value) {
                case Double d -> d.longValue();
                case Str s -> {
                    String text = s.text().strip().replace("_", "");
                    yield text.contains(".") || text.contains("e")
                            ? (long) Double.parseDouble(text)
                            : Long.parseLong(text, (int) args.whole(1, "base", 10));
                }
                case Boolean b -> b ? 1L : 0L;
                case Long n -> n;
                default -> args.optional(0, "default", 0L);
            };
        } catch (NumberFormatException e) {
            return args.optional(0, "default", 0L);
        }
    }

    private static Object toFloat(Object value, Arguments args) {
        try {
            return value instanceof Str s
                    ? (Object) Double.parseDouble(s.text().strip())
                    : Operators.isNumber(value)
                            ? (Object) Operators.decimal(value)
                            : args.optional(0, "default", 0.0);
        } catch (NumberFormatException e) {
            return args.optional(0, "default", 0.0);
        }
    }

    private static Object round(Object value, Arguments args) {
        int places = Math.clamp(args.whole(0, "precision", 0), -300, 300);
        var exact = new java.math.BigDecimal(Operators.decimal(value));
        var mode =
                switch (args.has(1, "method") ? args.text(1, "method").text() : "common") {
                    case "ceil" -> java.math.RoundingMode.CEILING;
                    case "floor" -> java.math.RoundingMode.FLOOR;
                    default -> java.math.RoundingMode.HALF_EVEN;
                };
        return exact.setScale(places, mode).doubleValue();
    }

    private Object attr(Object value, Arguments args) {
        return Subscripts.attribute(value, args.text(0, "name").text(), budget);
    }

    private Str indent(Str s, Arguments args) {
        Object width = args.optional(0, "width", 4L);
        Str prefix =
                width instanceof Str w
                        ? w
                        : Str.literal(" ".repeat(Math.clamp(Operators.whole(width), 0, 1000)));
        boolean first = args.truth(1, "first", false);
        boolean blank = args.truth(2, "blank", false);
        String[] lines = (s.text() + "\n").lines().toArray(String[]::new);
        var out = new StringBuilder();
        for (int i = 0; i < lines.length; i++) {
            boolean indented = i == 0 ? first : blank || !lines[i].isEmpty();
            out.append(i > 0 ? "\n" : "").append(indented ? prefix.text() : "").append(lines[i]);
            budget.step();
            budget.bound(out.length());
        }
        return s.derive(out.toString(), prefix);
    }

    private static Str escape(Str s) {
        return s.derive(
                s.text()
                        .replace("&", "&amp;")
                        .replace("<", "&lt;")
                        .replace(">", "&gt;")
                        .replace("'", "&#39;")
                        .replace("\"", "&#34;"));
    }

    private static Str truncate(Str s, Arguments args) {
        long length = args.whole(0, "length", 255);
        boolean killWords = args.truth(1, "killwords", false);
        Str end = args.has(2, "end") ? args.text(2, "end") : Str.literal("...");
        long leeway = args.whole(3, "leeway", 5);
        if (s.length() <= length + leeway) {
            return s;
        }
        int keep = (int) Math.max(0, length - end.length());
        Str cut = s.part(0, s.text().offsetByCodePoints(0, keep));
        int space = cut.text().lastIndexOf(' ');
        return (killWords || space < 0 ? cut : cut.part(0, space)).plus(end);
    }
}
