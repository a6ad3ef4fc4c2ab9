package io.cortado.text.jinja;

import java.math.BigInteger;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Truth, order, equality and membership as in Python. */
final class Operators {
    private Operators() {}

    static String typeName(Object value) {
        return switch (value) {
            case None _ -> "NoneType";
            case Boolean _ -> "bool";
            case Long _, BigInteger _ -> "int";
            case Double _ -> "float";
            case Str _ -> "str";
            case List<?> _ -> "list";
            case Map<?, ?> _ -> "dict";
            case Tuple _ -> "tuple";
            case Range _ -> "range";
            case Undefined _ -> "Undefined";
            case Generator _ -> "generator";
            case DictView view -> view.kind();
            case Namespace _ -> "Namespace";
            default -> "function";
        };
    }

    static boolean isTrue(Object value) {
        return switch (value) {
            case None _, Undefined _ -> false;
            case Boolean b -> b;
            case Long n -> n != 0;
            case Double d -> d != 0;
            case Str s -> !s.isEmpty();
            case List<?> list -> !list.isEmpty();
            case Map<?, ?> map -> !map.isEmpty();
            case Tuple tuple -> !tuple.items().isEmpty();
            case DictView view -> !view.items().isEmpty();
            case Range range -> range.length() > 0;
            default -> true;
        };
    }

    static boolean isNumber(Object value) {
        return value instanceof Long
                || value instanceof Double
                || value instanceof Boolean
                || value instanceof BigInteger;
    }

    static boolean isWhole(Object value) {
        return value instanceof Long || value instanceof Boolean;
    }

    static long whole(Object value) {
        return switch (value) {
            case Long n -> n;
            case Boolean b -> b ? 1 : 0;
            case Undefined u -> throw u.error();
            default ->
                    throw new TemplateException("an integer is required, got " + typeName(value));
        };
    }

    static double decimal(Object value) {
        return switch (value) {
            case Double d -> d;
            case BigInteger n -> n.doubleValue();
            default -> whole(value);
        };
    }

    static Str text(Object value, String what) {
        return switch (value) {
            case Str s -> s;
            case Undefined u -> throw u.error();
            default ->
                    throw new TemplateException(what + " must be a string, got " + typeName(value));
        };
    }

    static boolean isIterable(Object value) {
        return switch (value) {
            case List<?> _, Tuple _, Map<?, ?> _, Str _, Generator _, DictView _, Range _ -> true;
            case Undefined _ -> true;
            default -> false;
        };
    }

    /** The items of anything that can be looped over. */
    static List<Object> items(Object value, Budget budget) {
        return switch (value) {
            case List<?> list -> objects(list);
            case Tuple tuple -> tuple.items();
            case Map<?, ?> map -> {
                budget.items(map.size());
                yield new ArrayList<>(map.keySet());
            }
            case Str s -> {
                budget.items(s.text().length());
                yield s.characters();
            }
            case Range range -> {
                budget.items(range.length());
                yield range.items();
            }
            case Generator generator -> generator.take();
            case DictView view -> view.items();
            case Undefined _ -> List.of();
            default ->
                    throw new TemplateException("'" + typeName(value) + "' object is not iterable");
        };
    }

    // Lists are only ever made of objects, here and in Values; the wildcard comes from pattern
    // matching.
    @SuppressWarnings("unchecked")
    static List<Object> objects(List<?> list) {
        return (List<Object>) list;
    }

    @SuppressWarnings("unchecked")
    static Map<Object, Object> map(Map<?, ?> map) {
        return (Map<Object, Object>) map;
    }

    /** Both values are walked, so both are paid for: a list may hold one list many times over. */
    static boolean areEqual(Object a, Object b, Budget budget) {
        budget.step();
        if (isNumber(a) && isNumber(b)) {
            return compareNumbers(a, b) == 0 && !isNan(a) && !isNan(b);
        }
        if (a instanceof List<?> x && b instanceof List<?> y) {
            return areAllEqual(objects(x), objects(y), budget);
        }
        if (a instanceof Tuple x && b instanceof Tuple y) {
            return areAllEqual(x.items(), y.items(), budget);
        }
        if (a instanceof Map<?, ?> x && b instanceof Map<?, ?> y) {
            return areMapsEqual(map(x), map(y), budget);
        }
        if (a instanceof Range x && b instanceof Range y) {
            return x.isSameSequence(y);
        }
        if (a instanceof Str x && b instanceof Str y) {
            budget.scan(Math.min(x.text().length(), y.text().length()));
            return x.equals(y);
        }
        if (a instanceof Undefined && b instanceof Undefined) {
            return true;
        }
        // Functions, namespaces and the like are equal to themselves alone; so is None.
        return isSame(a, b);
    }

    @SuppressWarnings("ReferenceEquality")
    static boolean isSame(Object a, Object b) {
        return a == b;
    }

    private static boolean isNan(Object value) {
        return value instanceof Double d && d.isNaN();
    }

    private static boolean areMapsEqual(
            Map<Object, Object> x, Map<Object, Object> y, Budget budget) {
        if (x.size() != y.size()) {
            return false;
        }
        for (Map.Entry<Object, Object> entry : x.entrySet()) {
            Object other = find(y, entry.getKey(), budget);
            if (other == null || !areEqual(entry.getValue(), other, budget)) {
                return false;
            }
        }
        return true;
    }

    private static boolean areAllEqual(List<Object> x, List<Object> y, Budget budget) {
        if (x.size() != y.size()) {
            return false;
        }
        for (int i = 0; i < x.size(); i++) {
            if (!areEqual(x.get(i), y.get(i), budget)) {
                return false;
            }
        }
        return true;
    }

    static int compare(Object a, Object b, Budget budget) {
        budget.step();
        if (isNumber(a) && isNumber(b)) {
            return compareNumbers(a, b);
        }
        if (a instanceof Str x && b instanceof Str y) {
            budget.scan(Math.min(x.text().length(), y.text().length()));
            return x.compareTo(y);
        }
        if (a instanceof List<?> x && b instanceof List<?> y) {
            return compareAll(objects(x), objects(y), budget);
        }
        if (a instanceof Tuple x && b instanceof Tuple y) {
            return compareAll(x.items(), y.items(), budget);
        }
        if (a instanceof Undefined u) {
            throw u.error();
        }
        if (b instanceof Undefined u) {
            throw u.error();
        }
        throw new TemplateException(
                "no order between '" + typeName(a) + "' and '" + typeName(b) + "'");
    }

    private static int compareNumbers(Object a, Object b) {
        if (isWhole(a) && isWhole(b)) {
            return Long.compare(whole(a), whole(b));
        }
        if (a instanceof Double || b instanceof Double) {
            double x = decimal(a);
            double y = decimal(b);
            return x == y ? 0 : Double.compare(x, y);
        }
        return big(a).compareTo(big(b));
    }

    private static BigInteger big(Object value) {
        return value instanceof BigInteger n ? n : BigInteger.valueOf(whole(value));
    }

    private static int compareAll(List<Object> x, List<Object> y, Budget budget) {
        for (int i = 0; i < Math.min(x.size(), y.size()); i++) {
            if (!areEqual(x.get(i), y.get(i), budget)) {
                return compare(x.get(i), y.get(i), budget);
            }
        }
        return Integer.compare(x.size(), y.size());
    }

    static boolean contains(Object container, Object item, Budget budget) {
        if (container instanceof Str s) {
            String sub = text(item, "left side of 'in'").text();
            budget.scan((long) s.text().length() + sub.length());
            return TextSearch.contains(s.text(), sub);
        }
        if (container instanceof Map<?, ?> map) {
            return find(map(map), item, budget) != null;
        }
        for (Object candidate : items(container, budget)) {
            if (areEqual(candidate, item, budget)) {
                return true;
            }
        }
        return false;
    }

    /** The value under a key, or null. Numbers that are equal are one key: 1, 1.0 and True. */
    static @Nullable Object find(Map<Object, Object> map, Object key, Budget budget) {
        return map.get(key(key, budget)) instanceof Object value
                ? value
                : isNumber(key) ? map.get(storedKey(map, key, budget)) : null;
    }

    /** Stores under the key that is there already, if an equal one is. */
    static void put(Map<Object, Object> map, Object key, Object value, Budget budget) {
        map.put(isNumber(key) ? storedKey(map, key, budget) : key(key, budget), value);
    }

    private static Object storedKey(Map<Object, Object> map, Object key, Budget budget) {
        if (!map.containsKey(key)) {
            for (Object candidate : map.keySet()) {
                budget.step();
                if (isNumber(candidate) && compareNumbers(candidate, key) == 0) {
                    return candidate;
                }
            }
        }
        return key;
    }

    /** A value that may be a key; hashing it is paid for. */
    private static Object key(Object value, Budget budget) {
        budget.step();
        if (value instanceof List<?> || value instanceof Map<?, ?>) {
            throw new TemplateException("unhashable type: '" + typeName(value) + "'");
        }
        if (value instanceof Tuple tuple) {
            tuple.items().forEach(item -> key(item, budget));
        }
        return value;
    }

    /** A value to group by: equal numbers become one object. */
    static Object groupKey(Object value, Budget budget) {
        return switch (value) {
            case Boolean b -> b ? 1L : 0L;
            case Double d when d == Math.rint(d) && Math.abs(d) < 1e15 -> d.longValue();
            default -> key(value, budget);
        };
    }
}
