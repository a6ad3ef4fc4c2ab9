package io.cortado.text.jinja;

import java.math.BigInteger;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Evaluates expressions. */
final class Evaluator {
    private final Budget budget;
    private final Filters filters;

    Evaluator(Budget budget) {
        this.budget = budget;
        this.filters = new Filters(budget);
    }

    Object evaluate(Expr expr, Scope scope) {
        budget.step();
        budget.nest();
        Object value = value(expr, scope);
        budget.unnest();
        return value;
    }

    private Object value(Expr expr, Scope scope) {
        return switch (expr) {
            case Expr.Constant c -> c.value();
            case Expr.Name name -> scope.find(name.name());
            case Expr.ListOf list -> all(list.items(), scope);
            case Expr.TupleOf tuple -> new Tuple(all(tuple.items(), scope));
            case Expr.DictOf dict -> dict(dict, scope);
            case Expr.Unary unary -> unary(unary.operator(), evaluate(unary.operand(), scope));
            case Expr.Binary binary ->
                    Arithmetic.apply(
                            binary.operator(),
                            evaluate(binary.left(), scope),
                            evaluate(binary.right(), scope),
                            budget);
            case Expr.And and -> {
                Object left = evaluate(and.left(), scope);
                yield Operators.isTrue(left) ? evaluate(and.right(), scope) : left;
            }
            case Expr.Or or -> {
                Object left = evaluate(or.left(), scope);
                yield Operators.isTrue(left) ? left : evaluate(or.right(), scope);
            }
            case Expr.Compare compare -> compare(compare, scope);
            case Expr.Concat concat -> concat(concat, scope);
            case Expr.Condition condition -> condition(condition, scope);
            case Expr.Attribute attribute ->
                    Subscripts.attribute(
                            evaluate(attribute.object(), scope), attribute.name(), budget);
            case Expr.Item item ->
                    Subscripts.item(
                            evaluate(item.object(), scope), evaluate(item.key(), scope), budget);
            case Expr.Slice slice ->
                    Subscripts.slice(
                            evaluate(slice.object(), scope),
                            bound(slice.start(), scope),
                            bound(slice.stop(), scope),
                            bound(slice.step(), scope),
                            budget);
            case Expr.Call call ->
                    call(evaluate(call.function(), scope), arguments(call.arguments(), scope));
            case Expr.Filter filter -> filter(filter, null, scope);
            case Expr.Test test ->
                    Tests.run(
                            test.name(),
                            evaluate(test.input(), scope),
                            arguments(test.arguments(), scope),
                            budget);
        };
    }

    /** Runs the filters of a block on its text. */
    Object filterBlock(Expr expr, Str body, Scope scope) {
        return expr instanceof Expr.Filter filter ? filter(filter, body, scope) : body;
    }

    private Object filter(Expr.Filter filter, @Nullable Str body, Scope scope) {
        Expr inner = filter.input();
        Object input =
                inner == null
                        ? (body == null ? Str.EMPTY : body)
                        : body != null && inner instanceof Expr.Filter f
                                ? filter(f, body, scope)
                                : evaluate(inner, scope);
        return filters.run(filter.name(), input, arguments(filter.arguments(), scope));
    }

    Object call(Object function, Arguments arguments) {
        budget.enter();
        Object result =
                switch (function) {
                    case Callable callable -> callable.call(arguments);
                    case LoopState loop -> loop.call(arguments);
                    case Undefined u -> throw u.error();
                    default ->
                            throw new TemplateException(
                                    "'"
                                            + Operators.typeName(function)
                                            + "' object is not callable");
                };
        budget.leave();
        return result;
    }

    Arguments arguments(Expr.CallArguments arguments, Scope scope) {
        if (arguments.positional().isEmpty()
                && arguments.named().isEmpty()
                && arguments.rest() == null
                && arguments.namedRest() == null) {
            return Arguments.NONE;
        }
        List<Object> positional = all(arguments.positional(), scope);
        var named = new LinkedHashMap<String, Object>();
        arguments.named().forEach((name, value) -> named.put(name, evaluate(value, scope)));
        if (arguments.rest() != null) {
            List<Object> rest = Operators.items(evaluate(arguments.rest(), scope), budget);
            budget.list((long) positional.size() + rest.size());
            positional.addAll(rest);
        }
        if (arguments.namedRest() != null) {
            addNamed(evaluate(arguments.namedRest(), scope), named);
        }
        return new Arguments(positional, named);
    }

    private void addNamed(Object rest, Map<String, Object> named) {
        if (!(rest instanceof Map<?, ?> map)) {
            throw new TemplateException(
                    "argument after ** must be a mapping, not " + Operators.typeName(rest));
        }
        budget.items(map.size());
        Operators.map(map)
                .forEach((key, value) -> {
                    String name = Operators.text(key, "keyword").text();
                    if (named.put(name, value) != null) {
                        throw new TemplateException("keyword argument repeated: name=" + name);
                    }
                });
    }

    private List<Object> all(List<Expr> exprs, Scope scope) {
        var values = new ArrayList<Object>(exprs.size());
        for (Expr expr : exprs) {
            values.add(evaluate(expr, scope));
        }
        return values;
    }

    private Object dict(Expr.DictOf dict, Scope scope) {
        var map = new LinkedHashMap<Object, Object>();
        for (Map.Entry<Expr, Expr> entry : dict.entries()) {
            budget.step(map.size() >> 6);
            Object key = evaluate(entry.getKey(), scope);
            Operators.put(map, key, evaluate(entry.getValue(), scope), budget);
        }
        return map;
    }

    private static Object unary(String operator, Object value) {
        if (operator.equals("not")) {
            return !Operators.isTrue(value);
        }
        boolean negative = operator.equals("-");
        if (value instanceof Double d) {
            return negative ? -d : d;
        }
        BigInteger whole = NumberText.big(value);
        return Numerals.small(negative ? whole.negate() : whole);
    }

    private Object compare(Expr.Compare compare, Scope scope) {
        Object left = evaluate(compare.first(), scope);
        for (int i = 0; i < compare.operators().size(); i++) {
            Object right = evaluate(compare.others().get(i), scope);
            if (!holds(compare.operators().get(i), left, right, budget)) {
                return false;
            }
            left = right;
        }
        return true;
    }

    private static boolean holds(String operator, Object left, Object right, Budget budget) {
        return switch (operator) {
            case "==" -> Operators.areEqual(left, right, budget);
            case "!=" -> !Operators.areEqual(left, right, budget);
            case "in" -> Operators.contains(right, left, budget);
            case "not in" -> !Operators.contains(right, left, budget);
            case "<" -> Operators.compare(left, right, budget) < 0;
            case "<=" -> Operators.compare(left, right, budget) <= 0;
            case ">" -> Operators.compare(left, right, budget) > 0;
            default -> Operators.compare(left, right, budget) >= 0;
        };
    }

    private Object concat(Expr.Concat concat, Scope scope) {
        var out = new Str.Builder();
        for (Expr part : concat.parts()) {
            out.append(Repr.str(evaluate(part, scope), budget));
            budget.bound(out.length());
        }
        budget.text(out.length());
        return out.build();
    }

    private Object condition(Expr.Condition condition, Scope scope) {
        if (Operators.isTrue(evaluate(condition.test(), scope))) {
            return evaluate(condition.then(), scope);
        }
        Expr otherwise = condition.otherwise();
        return otherwise == null
                ? new Undefined(
                        "the inline if-expression evaluated to false and no else section was defined")
                : evaluate(otherwise, scope);
    }

    private Object bound(@Nullable Expr expr, Scope scope) {
        return expr == null ? None.NONE : evaluate(expr, scope);
    }
}
