package io.cortado.text.jinja;

import java.math.BigDecimal;
import java.math.RoundingMode;
import java.util.Map;
import java.util.Set;

/**
 * What may stand after a bar: the filters of values. {@link TextFilters} has those of texts, {@link
 * ListFilters} those of lists.
 */
final class Filters {
    private static final Set<String> VALUES =
            Set.of(
                    "abs",
                    "attr",
                    "count",
                    "d",
                    "default",
                    "filesizeformat",
                    "float",
                    "int",
                    "items",
                    "length",
                    "pprint",
                    "round",
                    "tojson");

    /** Filters of Jinja2 that are refused, and why. */
    private static final Map<String, String> REFUSED =
            Map.of(
                    "random", "a prompt must not change from one rendering to the next",
                    "urlize", "links in HTML are no part of a prompt");

    private static final int PPRINT_WIDTH = 80;

    private final Budget budget;
    private final ListFilters lists;
    private final TextFilters texts;

    Filters(Budget budget) {
        this.budget = budget;
        this.lists = new ListFilters(this, budget);
        this.texts = new TextFilters(budget);
    }

    /** Whether Jinja2 has such a filter, be it refused here or not. */
    static boolean isKnown(String name) {
        return VALUES.contains(name)
                || TextFilters.NAMES.contains(name)
                || ListFilters.NAMES.contains(name)
                || REFUSED.containsKey(name);
    }

    Budget budget() {
        return budget;
    }

    Object run(String name, Object value, Arguments args) {
        budget.step();
        if (TextFilters.NAMES.contains(name)) {
            return texts.run(name, value, args);
        }
        if (ListFilters.NAMES.contains(name)) {
            return lists.run(name, value, args);
        }
        return switch (name) {
            case "default", "d" -> orDefault(value, args);
            case "length", "count" -> length(value);
            case "tojson" -> JsonText.of(value, args, budget);
            case "items" -> items(value);
            case "abs" -> abs(value);
            case "int" -> toInt(value, args);
            case "float" -> toFloat(value, args);
            case "round" -> round(value, args);
            case "attr" -> {
                args.known("attr", "name");
                yield Subscripts.attributeOnly(value, args.text(0, "name").text(), budget);
            }
            case "pprint" -> print(value);
            case "filesizeformat" -> fileSize(value, args);
            default ->
                    throw new TemplateException(
                            REFUSED.containsKey(name)
                                    ? "filter '" + name + "' is refused: " + REFUSED.get(name)
                                    : "no filter named '" + name + "'");
        };
    }

    private static Object orDefault(Object value, Arguments args) {
        args.known("default", "default_value", "boolean");
        boolean replace =
                value instanceof Undefined
                        || (args.truth(1, "boolean", false) && !Operators.isTrue(value));
        return replace ? args.optional(0, "default_value", Str.EMPTY) : value;
    }

    private Object length(Object value) {
        return switch (value) {
            case Str s -> {
                budget.scan(s.text().length());
                yield (long) s.length();
            }
            case Range range -> (long) range.length();
            case Map<?, ?> map -> (long) map.size();
            case Generator _ -> throw noLength(value);
            default -> {
                if (!Operators.isIterable(value)) {
                    throw noLength(value);
                }
                yield (long) Operators.items(value, budget).size();
            }
        };
    }

    private static TemplateException noLength(Object value) {
        return new TemplateException(
                "object of type '" + Operators.typeName(value) + "' has no len()");
    }

    private Object items(Object value) {
        return switch (value) {
            case Map<?, ?> map -> new Generator(MapMethods.pairs(Operators.map(map), budget));
            case Undefined _ -> new Generator(java.util.List.of());
            default ->
                    throw new TemplateException(
                            "can only get item pairs from a mapping, got "
                                    + Operators.typeName(value));
        };
    }

    private static Object abs(Object value) {
        return switch (value) {
            case Double d -> Math.abs(d);
            case java.math.BigInteger n -> n.abs();
            default -> Math.absExact(Operators.whole(value));
        };
    }

    private static Object toInt(Object value, Arguments args) {
        args.known("int", "default", "base");
        Object fallback = args.optional(0, "default", 0L);
        return switch (value) {
            case Str s -> Numerals.whole(s.text(), (int) args.whole(1, "base", 10), fallback);
            case Double d -> Numerals.truncated(d);
            case Boolean b -> b ? 1L : 0L;
            case Long n -> n;
            case java.math.BigInteger n -> n;
            case Undefined u -> throw u.error();
            default -> fallback;
        };
    }

    private static Object toFloat(Object value, Arguments args) {
        args.known("float", "default");
        Object fallback = args.optional(0, "default", 0.0);
        return switch (value) {
            case Str s -> Numerals.decimal(s.text()) instanceof Double d ? (Object) d : fallback;
            case Undefined u -> throw u.error();
            default -> Operators.isNumber(value) ? (Object) Operators.decimal(value) : fallback;
        };
    }

    private static Object round(Object value, Arguments args) {
        args.known("round", "precision", "method");
        int places = Math.clamp(args.whole(0, "precision", 0), -400, 400);
        String method = args.has(1, "method") ? args.text(1, "method").text() : "common";
        RoundingMode mode =
                switch (method) {
                    case "common" -> RoundingMode.HALF_EVEN;
                    case "ceil" -> RoundingMode.CEILING;
                    case "floor" -> RoundingMode.FLOOR;
                    default ->
                            throw new TemplateException(
                                    "round's method must be common, ceil or floor: method="
                                            + method);
                };
        if (value instanceof Double d && (d.isNaN() || d.isInfinite())) {
            throw new TemplateException("cannot round: value=" + Repr.decimal(d));
        }
        if (method.equals("common")) {
            return value instanceof Double d
                    ? (Object) new BigDecimal(d).setScale(places, mode).doubleValue()
                    : wholeRound(value, places, mode);
        }
        // As Jinja2: the product and the quotient are floats and round for themselves.
        double scale = Math.pow(10, places);
        double scaled = Operators.decimal(value) * scale;
        return (mode == RoundingMode.CEILING ? Math.ceil(scaled) : Math.floor(scaled)) / scale;
    }

    private static Object wholeRound(Object value, int places, RoundingMode mode) {
        var exact = new BigDecimal(NumberText.big(value)).setScale(Math.min(0, places), mode);
        return Numerals.small(exact.toBigInteger());
    }

    private Str print(Object value) {
        Str line = Repr.sorted(value, budget);
        if (line.length() > PPRINT_WIDTH) {
            throw new TemplateException(
                    "pprint is built for what fits on a line: chars="
                            + line.length()
                            + " limit="
                            + PPRINT_WIDTH);
        }
        return line;
    }

    private static Str fileSize(Object value, Arguments args) {
        args.known("filesizeformat", "binary");
        boolean binary = args.truth(0, "binary", false);
        Double bytes =
                value instanceof Str s
                        ? Numerals.decimal(s.text())
                        : Double.valueOf(Operators.decimal(value));
        if (bytes == null) {
            throw new TemplateException("could not convert string to float: " + value);
        }
        int base = binary ? 1024 : 1000;
        if (bytes == 1) {
            return Str.literal("1 Byte");
        }
        if (bytes < base) {
            return Str.literal(bytes.longValue() + " Bytes");
        }
        String prefixes = binary ? "KMGTPEZY" : "kMGTPEZY";
        double unit = base;
        int at = 0;
        while (at < prefixes.length() - 1 && bytes >= unit * base) {
            unit *= base;
            at++;
        }
        return Str.literal(
                NumberText.decimal(bytes / unit, 'f', 1, false)
                        + " "
                        + prefixes.charAt(at)
                        + (binary ? "iB" : "B"));
    }
}
