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

    /** The items of anything that can be looped over, or null if {@code value} cannot. */
    static @Nullable List<Object> itemsOrNull(Object value) {
        return switch (value) {
            case List<?> list -> objects(list);
            case Tuple tuple -> tuple.items();
            case Map<?, ?> map -> new ArrayList<>(map.keySet());
            case Str s -> characters(s);
            case Generator generator -> generator.take();
            case DictView view -> view.items();
            case Undefined _ -> List.of();
            default -> null;
        };
    }

    static List<Object> items(Object value) {
        List<Object> items = itemsOrNull(value);
        if (items == null) {
            throw new TemplateException("'" + typeName(value) + "' object is not iterable");
        }
        return items;
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

    private static List<Object> characters(Str s) {
        var characters = new ArrayList<Object>();
        for (int i = 0; i < s.text().length(); ) {
            int end = i + Character.charCount(s.text().codePointAt(i));
            characters.add(s.part(i, end));
            i = end;
        }
        return characters;
    }

    static boolean areEqual(Object a, Object b) {
        if (isNumber(a) && isNumber(b)) {
            return (isWhole(a) && isWhole(b)) ? whole(a) == whole(b) : decimal(a) == decimal(b);
        }
        if (a instanceof List<?> x && b instanceof List<?> y) {
            return areAllEqual(objects(x), objects(y));
        }
        if (a instanceof Tuple x && b instanceof Tuple y) {
            return areAllEqual(x.items(), y.items());
        }
        if (a instanceof Map<?, ?> x && b instanceof Map<?, ?> y) {
            return areMapsEqual(map(x), map(y));
        }
        if (a instanceof Undefined && b instanceof Undefined) {
            return true;
        }
        return a.equals(b);
    }

    private static boolean areMapsEqual(Map<Object, Object> x, Map<Object, Object> y) {
        if (x.size() != y.size()) {
            return false;
        }
        for (Map.Entry<Object, Object> entry : x.entrySet()) {
            Object other = find(y, entry.getKey());
            if (other == null || !areEqual(entry.getValue(), other)) {
                return false;
            }
        }
        return true;
    }

    private static boolean areAllEqual(List<Object> x, List<Object> y) {
        if (x.size() != y.size()) {
            return false;
        }
        for (int i = 0; i < x.size(); i++) {
            if (!areEqual(x.get(i), y.get(i))) {
                return false;
            }
        }
        return true;
    }

    static int compare(Object a, Object b) {
        if (isNumber(a) && isNumber(b)) {
            return isWhole(a) && isWhole(b)
                    ? Long.compare(whole(a), whole(b))
                    : Double.compare(decimal(a), decimal(b));
        }
        if (a instanceof Str x && b instanceof Str y) {
            return x.compareTo(y);
        }
        if (a instanceof List<?> x && b instanceof List<?> y) {
            return compareAll(objects(x), objects(y));
        }
        if (a instanceof Tuple x && b instanceof Tuple y) {
            return compareAll(x.items(), y.items());
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

    private static int compareAll(List<Object> x, List<Object> y) {
        for (int i = 0; i < Math.min(x.size(), y.size()); i++) {
            if (!areEqual(x.get(i), y.get(i))) {
                return compare(x.get(i), y.get(i));
            }
        }
        return Integer.compare(x.size(), y.size());
    }

    static boolean contains(Object container, Object item) {
        if (container instanceof Str s) {
            return s.text().contains(text(item, "left side of 'in'").text());
        }
        if (container instanceof Map<?, ?> map) {
            return find(map(map), item) != null;
        }
        for (Object candidate : items(container)) {
            if (areEqual(candidate, item)) {
                return true;
            }
        }
        return false;
    }

    /** The value under a key, or null. Numbers that are equal are one key: 1, 1.0 and True. */
    static @Nullable Object find(Map<Object, Object> map, Object key) {
        Object value = map.get(hashable(key));
        return value == null && isNumber(key) ? map.get(storedKey(map, key)) : value;
    }

    /** Stores under the key that is there already, if an equal one is. */
    static void put(Map<Object, Object> map, Object key, Object value) {
        map.put(isNumber(key) ? storedKey(map, key) : hashable(key), value);
    }

    private static Object storedKey(Map<Object, Object> map, Object key) {
        if (!map.containsKey(key)) {
            for (Object candidate : map.keySet()) {
                if (isNumber(candidate) && areEqual(candidate, key)) {
                    return candidate;
                }
            }
        }
        return key;
    }

    private static Object hashable(Object value) {
        if (value instanceof List<?> || value instanceof Map<?, ?>) {
            throw new TemplateException("unhashable type: '" + typeName(value) + "'");
        }
        return value;
    }

    /** A value to group or compare by: equal numbers become one object. */
    static Object key(Object value) {
        return switch (value) {
            case Boolean b -> b ? 1L : 0L;
            case Double d when d == Math.rint(d) && Math.abs(d) < 1e15 -> d.longValue();
            default -> hashable(value);
        };
    }
}
