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
                    "escaped",
                    "filter",
                    "test");

    private static final Set<String> TAKING_ONE =
            Set.of(
                    "divisibleby",
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
                    ">=");

    private Tests() {}

    static boolean run(String name, Object value, Arguments args, Budget budget) {
        args.atMost(TAKING_ONE.contains(name) ? 1 : 0, name);
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
                            || value instanceof Range;
            case "iterable" -> Operators.isIterable(value);
            case "callable" -> value instanceof Callable || value instanceof LoopState;
            case "even" -> leaves(value, 2L, 0L, budget);
            case "odd" -> leaves(value, 2L, 1L, budget);
            case "divisibleby" -> leaves(value, args.required(0, "num"), 0L, budget);
            case "lower" -> StrQuestions.isLower(text(value, budget));
            case "upper" -> StrQuestions.isUpper(text(value, budget));
            case "in" -> Operators.contains(args.required(0, "seq"), value, budget);
            case "sameas" -> areSame(value, args.required(0, "other"));
            case "eq", "equalto", "==" ->
                    Operators.areEqual(value, args.required(0, "other"), budget);
            case "ne", "!=" -> !Operators.areEqual(value, args.required(0, "other"), budget);
            case "lt", "lessthan", "<" ->
                    Operators.compare(value, args.required(0, "other"), budget) < 0;
            case "le", "<=" -> Operators.compare(value, args.required(0, "other"), budget) <= 0;
            case "gt", "greaterthan", ">" ->
                    Operators.compare(value, args.required(0, "other"), budget) > 0;
            case "ge", ">=" -> Operators.compare(value, args.required(0, "other"), budget) >= 0;
            case "escaped" -> value instanceof Str s && s.isMarkup();
            case "filter" -> Filters.isKnown(text(value, budget));
            case "test" -> NAMES.contains(text(value, budget));
            default -> throw new TemplateException("no test named '" + name + "'");
        };
    }

    private static boolean leaves(Object value, Object divisor, Object rest, Budget budget) {
        Object remainder = Arithmetic.apply("%", value, divisor, budget);
        return Operators.areEqual(remainder, rest, budget);
    }

    private static String text(Object value, Budget budget) {
        String text = Repr.str(value, budget).text();
        budget.scan(text.length());
        return text;
    }

    /** Equal numbers and texts of one type count as one object: Python shares the small ones. */
    private static boolean areSame(Object a, Object b) {
        boolean isPlain = a instanceof Str || Operators.isNumber(a);
        return isPlain ? a.getClass() == b.getClass() && a.equals(b) : Operators.isSame(a, b);
    }
}
