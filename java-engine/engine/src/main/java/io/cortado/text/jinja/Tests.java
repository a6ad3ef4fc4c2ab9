package io.cortado.text.jinja;

import java.math.BigInteger;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** What may stand after {@code is}. */
final class Tests {
    /** All names, for the test {@code test}. */
    static final Set<String> NAMES =
            Set.of(
                    "defined",
                    "undefined",
                    "none",
                    "boolean",
                    "true",
                    "false",
                    "string",
                    "number",
                    "integer",
                    "float",
                    "mapping",
                    "sequence",
                    "iterable",
                    "callable",
                    "even",
                    "odd",
                    "divisibleby",
                    "lower",
                    "upper",
                    "in",
                    "eq",
                    "equalto",
                    "==",
                    "sameas",
                    "ne",
                    "!=",
                    "lt",
                    "lessthan",
                    "<",
                    "le",
                    "<=",
                    "gt",
                    "greaterthan",
                    ">",
                    "ge",
                    ">=",
                    "filter",
                    "test");

    private Tests() {}

    static boolean run(String name, Object value, Arguments args, Filters filters) {
        return switch (name) {
            case "defined" -> !(value instanceof Undefined);
            case "undefined" -> value instanceof Undefined;
            case "none" -> value == None.NONE;
            case "boolean" -> value instanceof Boolean;
            case "true" -> value.equals(true);
            case "false" -> value.equals(false);
            case "string" -> value instanceof Str;
            case "number" -> Operators.isNumber(value);
            case "integer" -> value instanceof Long || value instanceof BigInteger;
            case "float" -> value instanceof Double;
            case "mapping" -> value instanceof Map<?, ?>;
            case "sequence" ->
                    value instanceof List<?>
                            || value instanceof Tuple
                            || value instanceof Str
                            || value instanceof Map<?, ?>
                            || value instanceof Undefined
                            || value instanceof DictView;
            case "iterable" -> value instanceof Generator || Operators.itemsOrNull(value) != null;
            case "callable" -> value instanceof Callable || value instanceof LoopState;
            case "even" -> Math.floorMod(Operators.whole(value), 2L) == 0;
            case "odd" -> Math.floorMod(Operators.whole(value), 2L) == 1;
            case "divisibleby" ->
                    Arithmetic.apply("%", value, args.required(0, "num"), filters.budget())
                            .equals(0L);
            case "lower" -> StrMethods.isLower(Repr.str(value).text());
            case "upper" -> StrMethods.isUpper(Repr.str(value).text());
            case "in" -> Operators.contains(args.required(0, "seq"), value);
            case "eq", "equalto", "==", "sameas" ->
                    Operators.areEqual(value, args.required(0, "other"));
            case "ne", "!=" -> !Operators.areEqual(value, args.required(0, "other"));
            case "lt", "lessthan", "<" -> Operators.compare(value, args.required(0, "other")) < 0;
            case "le", "<=" -> Operators.compare(value, args.required(0, "other")) <= 0;
            case "gt", "greaterthan", ">" ->
                    Operators.compare(value, args.required(0, "other")) > 0;
            case "ge", ">=" -> Operators.compare(value, args.required(0, "other")) >= 0;
            case "filter" -> Filters.NAMES.contains(Repr.str(value).text());
            case "test" -> NAMES.contains(Repr.str(value).text());
            default -> throw new TemplateException("no test named '" + name + "'");
        };
    }
}
