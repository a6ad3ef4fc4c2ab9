package io.cortado.text.jinja;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Attributes, items and slices of values. */
final class Subscripts {
    /** Methods that change a value in place: Hugging Face's sandbox forbids them. */
    private static final Set<String> LIST_MUTATORS =
            Set.of("append", "clear", "pop", "reverse", "insert", "sort", "extend", "remove");

    private static final Set<String> MAP_MUTATORS =
            Set.of("clear", "pop", "popitem", "setdefault", "update");

    /** A longer step takes one item, as this one does. */
    private static final long MAX_STEP = Integer.MAX_VALUE;

    private Subscripts() {}

    /** {@code object.name}: an attribute or method, else an item. */
    static Object attribute(Object object, String name, Budget budget) {
        if (object instanceof Undefined u) {
            throw u.error();
        }
        if (name.startsWith("__")) {
            return unsafe(object, name);
        }
        Object method = method(object, name, budget);
        if (!(method instanceof Undefined) || isForbidden(object, name)) {
            return method;
        }
        if (object instanceof Map<?, ?> map) {
            Object value = Operators.map(map).get(Str.literal(name));
            if (value != null) {
                return value;
            }
        }
        return missing(object, "attribute '" + name + "'");
    }

    /** The filter {@code attr}: an attribute or method, never an item. */
    static Object attributeOnly(Object object, String name, Budget budget) {
        if (object instanceof Undefined u) {
            throw u.error();
        }
        return name.startsWith("__") ? unsafe(object, name) : method(object, name, budget);
    }

    /** {@code object[key]}: an item, else an attribute or method. */
    static Object item(Object object, Object key, Budget budget) {
        if (object instanceof Undefined u) {
            throw u.error();
        }
        if (object instanceof Map<?, ?> map) {
            Object value = Operators.find(Operators.map(map), key, budget);
            if (value != null) {
                return value;
            }
        } else if (Operators.isWhole(key)) {
            return indexed(object, Operators.whole(key), budget);
        }
        if (key instanceof Str name) {
            return name.text().startsWith("__")
                    ? unsafe(object, name.text())
                    : method(object, name.text(), budget);
        }
        return missing(object, "element " + Repr.repr(key, budget).text());
    }

    private static Object indexed(Object object, long index, Budget budget) {
        if (object instanceof Str s) {
            budget.scan(s.text().length());
            int length = s.length();
            long i = index < 0 ? index + length : index;
            if (i >= 0 && i < length) {
                int start = s.text().offsetByCodePoints(0, (int) i);
                return s.part(start, s.text().offsetByCodePoints(start, 1));
            }
        } else if (object instanceof List<?> || object instanceof Tuple) {
            List<Object> items = Operators.items(object, budget);
            long i = index < 0 ? index + items.size() : index;
            if (i >= 0 && i < items.size()) {
                return items.get((int) i);
            }
        } else if (object instanceof Range range) {
            long i = index < 0 ? index + range.length() : index;
            if (i >= 0 && i < range.length()) {
                return range.get(i);
            }
        }
        return missing(object, "element " + index);
    }

    private static Object method(Object object, String name, Budget budget) {
        if (isForbidden(object, name)) {
            return unsafe(object, name);
        }
        Object found =
                switch (object) {
                    case Str s -> StrMethods.find(s, name, budget);
                    case Map<?, ?> map -> MapMethods.find(Operators.map(map), name, budget);
                    case List<?> list -> ListMethods.find(Operators.objects(list), name, budget);
                    case Tuple tuple when name.equals("copy") -> null;
                    case Tuple tuple when tuple.field(name) instanceof Object value -> value;
                    case Tuple tuple -> ListMethods.find(tuple.items(), name, budget);
                    case Double d when name.equals("is_integer") ->
                            (Callable) _ -> !d.isInfinite() && d == Math.rint(d);
                    case Long n when name.equals("bit_length") ->
                            (Callable) _ -> 64L - Long.numberOfLeadingZeros(Math.abs(n));
                    case Namespace namespace -> namespace.attributes().get(name);
                    case LoopState loop -> loop.attribute(name, budget);
                    case Macro macro -> macro.attribute(name);
                    case Cycler cycler -> cycler.attribute(name);
                    default -> null;
                };
        return found == null ? missing(object, "attribute '" + name + "'") : found;
    }

    private static boolean isForbidden(Object object, String name) {
        return (object instanceof List<?> && LIST_MUTATORS.contains(name))
                || (object instanceof Map<?, ?> && MAP_MUTATORS.contains(name));
    }

    private static Undefined unsafe(Object object, String name) {
        return new Undefined(
                "access to attribute '"
                        + name
                        + "' of '"
                        + Operators.typeName(object)
                        + "' object is unsafe");
    }

    private static Undefined missing(Object object, String what) {
        return new Undefined("'" + Operators.typeName(object) + " object' has no " + what);
    }

    static Object slice(Object object, Object start, Object stop, Object step, Budget budget) {
        if (object instanceof Undefined u) {
            throw u.error();
        }
        long by = step == None.NONE ? 1 : Math.clamp(Operators.whole(step), -MAX_STEP, MAX_STEP);
        if (by == 0) {
            throw new TemplateException("slice step cannot be zero");
        }
        if (object instanceof Str s) {
            return sliceText(s, start, stop, by, budget);
        }
        if (object instanceof List<?> || object instanceof Tuple) {
            List<Object> items = Operators.items(object, budget);
            var cut = new ArrayList<Object>();
            long[] range = range(items.size(), start, stop, by);
            budget.items(Math.abs(range[1] - range[0]) / Math.abs(by));
            for (long i = range[0]; by > 0 ? i < range[1] : i > range[1]; i += by) {
                cut.add(items.get((int) i));
            }
            return object instanceof Tuple ? new Tuple(cut) : cut;
        }
        if (object instanceof Range whole) {
            long[] range = range(whole.length(), start, stop, by);
            return Range.of(whole.get(range[0]), whole.get(range[1]), whole.step() * by, budget);
        }
        throw new TemplateException(
                "'" + Operators.typeName(object) + "' object is not subscriptable");
    }

    private static Object sliceText(Str s, Object start, Object stop, long by, Budget budget) {
        budget.text(s.text().length());
        long[] range = range(s.length(), start, stop, by);
        if (by == 1) {
            int from = s.text().offsetByCodePoints(0, (int) range[0]);
            return range[1] <= range[0]
                    ? Str.EMPTY
                    : s.part(from, s.text().offsetByCodePoints(from, (int) (range[1] - range[0])));
        }
        List<Object> characters = Operators.items(s, budget);
        var out = new Str.Builder();
        for (long i = range[0]; by > 0 ? i < range[1] : i > range[1]; i += by) {
            budget.step();
            out.append((Str) characters.get((int) i));
        }
        return out.build();
    }

    /** Start and stop as Python clips them to a length. */
    private static long[] range(int length, Object start, Object stop, long by) {
        long low = by > 0 ? 0 : -1;
        long high = by > 0 ? length : length - 1L;
        return new long[] {
            bound(start, length, low, high, by > 0 ? low : high),
            bound(stop, length, low, high, by > 0 ? high : low)
        };
    }

    private static long bound(Object value, int length, long low, long high, long fallback) {
        if (value == None.NONE) {
            return fallback;
        }
        long index = Operators.whole(value);
        return Math.clamp(index < 0 ? index + length : index, low, high);
    }
}
