package io.cortado.text.jinja;

import java.util.ArrayList;
import java.util.List;

/** The binary operators on numbers, strings and lists. */
final class Arithmetic {
    private Arithmetic() {}

    static Object apply(String operator, Object a, Object b, Budget budget) {
        try {
            if (Operators.isNumber(a) && Operators.isNumber(b)) {
                return Operators.isWhole(a) && Operators.isWhole(b)
                        ? whole(operator, Operators.whole(a), Operators.whole(b))
                        : decimal(operator, Operators.decimal(a), Operators.decimal(b));
            }
        } catch (ArithmeticException e) {
            throw new TemplateException("arithmetic: " + e.getMessage() + " in " + operator);
        }
        return switch (operator) {
            case "+" -> plus(a, b, budget);
            case "*" ->
                    Operators.isWhole(a)
                            ? repeat(b, Operators.whole(a), budget)
                            : repeat(
                                    a,
                                    Operators.isWhole(b)
                                            ? Operators.whole(b)
                                            : fail(operator, a, b),
                                    budget);
            case "%" ->
                    a instanceof Str format
                            ? PercentFormat.format(format, b, budget)
                            : fail(operator, a, b);
            default -> fail(operator, a, b);
        };
    }

    private static Object whole(String operator, long a, long b) {
        return switch (operator) {
            case "+" -> Math.addExact(a, b);
            case "-" -> Math.subtractExact(a, b);
            case "*" -> Math.multiplyExact(a, b);
            case "/" -> (double) a / nonZero(b);
            case "//" -> Math.floorDiv(a, nonZero(b));
            case "%" -> Math.floorMod(a, nonZero(b));
            default -> power(a, b);
        };
    }

    private static Object power(long a, long b) {
        if (b < 0) {
            return decimal("**", a, b);
        }
        return Math.unsignedPowExact(Math.abs(a), (int) Math.min(b, 64))
                * (a < 0 && b % 2 != 0 ? -1 : 1);
    }

    private static long nonZero(long b) {
        if (b == 0) {
            throw new TemplateException("division by zero");
        }
        return b;
    }

    private static Object decimal(String operator, double a, double b) {
        if (b == 0 && (operator.equals("/") || operator.equals("//") || operator.equals("%"))) {
            throw new TemplateException("division by zero");
        }
        return switch (operator) {
            case "+" -> a + b;
            case "-" -> a - b;
            case "*" -> a * b;
            case "/" -> a / b;
            case "//" -> (a - modulo(a, b)) / b;
            case "%" -> modulo(a, b);
            default -> power(a, b);
        };
    }

    /** Has the sign of {@code b}, as in Python. */
    private static double modulo(double a, double b) {
        double rest = a % b;
        return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
    }

    private static double power(double a, double b) {
        if (a == 0 && b < 0) {
            throw new TemplateException("0.0 cannot be raised to a negative power");
        }
        double result = Math.pow(a, b);
        if (Double.isNaN(result) && !Double.isNaN(a) && !Double.isNaN(b)) {
            throw new TemplateException("the power of a negative number is complex: exponent=" + b);
        }
        return result;
    }

    private static Object plus(Object a, Object b, Budget budget) {
        if (a instanceof Str x && b instanceof Str y) {
            budget.text((long) x.text().length() + y.text().length());
            return x.isMarkup() == y.isMarkup()
                    ? x.plus(y)
                    : Html.markup(x, budget).plus(Html.markup(y, budget));
        }
        if (a instanceof List<?> x && b instanceof List<?> y) {
            return joined(Operators.objects(x), Operators.objects(y), budget);
        }
        if (a instanceof Tuple x && b instanceof Tuple y) {
            return new Tuple(joined(x.items(), y.items(), budget));
        }
        return fail("+", a, b);
    }

    private static List<Object> joined(List<Object> x, List<Object> y, Budget budget) {
        budget.list((long) x.size() + y.size());
        var joined = new ArrayList<Object>(x);
        joined.addAll(y);
        return joined;
    }

    private static Object repeat(Object value, long times, Budget budget) {
        int count = Math.clamp(times, 0, Integer.MAX_VALUE);
        if (value instanceof Str s) {
            budget.text((long) s.text().length() * count);
            var out = new Str.Builder();
            for (int i = 0; i < count && !s.isEmpty(); i++) {
                budget.step();
                out.append(s);
            }
            return out.build().markup(s.isMarkup());
        }
        if (value instanceof List<?> list) {
            return repeated(Operators.objects(list), count, budget);
        }
        if (value instanceof Tuple tuple) {
            return new Tuple(repeated(tuple.items(), count, budget));
        }
        return fail("*", value, times);
    }

    private static List<Object> repeated(List<Object> list, int count, Budget budget) {
        budget.list((long) list.size() * count);
        var out = new ArrayList<Object>();
        for (int i = 0; i < count && !list.isEmpty(); i++) {
            out.addAll(list);
        }
        return out;
    }

    private static long fail(String operator, Object a, Object b) {
        if (a instanceof Undefined u) {
            throw u.error();
        }
        if (b instanceof Undefined u) {
            throw u.error();
        }
        throw new TemplateException(
                "unsupported operand types for "
                        + operator
                        + ": '"
                        + Operators.typeName(a)
                        + "' and '"
                        + Operators.typeName(b)
                        + "'");
    }
}
