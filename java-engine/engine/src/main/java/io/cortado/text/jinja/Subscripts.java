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

    /** {@code object[key]}: an item, else an attribute or method. */
    static Object item(Object object, Object key, Budget budget) {
        if (object instanceof Undefined u) {
            throw u.error();
        }
        if (object instanceof Map<?, ?> map) {
            Object value = Operators.find(Operators.map(map), key);
            if (value != null) {
                return value;
            }
        } else if (Operators.isWhole(key)) {
            return indexed(object, Operators.whole(key));
        }
        if (key instanceof Str name) {
            return name.text().startsWith("__")
                    ? unsafe(object, name.text())
                    : method(object, name.text(), budget);
        }
        return missing(object, "element " + Repr.repr(key).text());
    }

    private static Object indexed(Object object, long index) {
        if (object instanceof Str s) {
            int length = s.length();
            long i = index < 0 ? index + length : index;
            if (i >= 0 && i < length) {
                int start = s.text().offsetByCodePoints(0, (int) i);
                return s.part(start, s.text().offsetByCodePoints(start, 1));
            }
        } else if (object instanceof List<?> || object instanceof Tuple) {
            List<Object> items = Operators.items(object);
            long i = index < 0 ? index + items.size() : index;
            if (i >= 0 && i < items.size()) {
                return items.get((int) i);
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
                    case Map<?, ?> map -> MapMethods.find(Operators.map(map), name);
                    case List<?> list -> listMethod(Operators.objects(list), name);
                    case Tuple tuple -> listMethod(tuple.items(), name);
                    case Namespace namespace -> namespace.attributes().get(name);
                    case LoopState loop -> loop.attribute(name);
                    case Macro macro -> macro.attribute(name);
                    default -> null;
                };
        return found == null ? missing(object, "attribute '" + name + "'") : found;
    }

    private static boolean isForbidden(Object object, String name) {
        return (object instanceof List<?> && LIST_MUTATORS.contains(name))
                || (object instanceof Map<?, ?> && MAP_MUTATORS.contains(name));
    }

    private static Object listMethod(List<Object> items, String name) {
        return switch (name) {
            case "count" ->
                    (Callable)
                            args ->
                                    items.stream()
                                            .filter(i ->
                                                    Operators.areEqual(i, args.required(0, "x")))
                                            .count();
            case "index" ->
                    (Callable)
                            args -> {
                                for (int i = 0; i < items.size(); i++) {
                                    if (Operators.areEqual(items.get(i), args.required(0, "x"))) {
                                        return (long) i;
                                    }
                                }
                                throw new TemplateException(
                                        Repr.repr(args.required(0, "x")) + " is not in list");
                            };
            case "copy" -> (Callable) _ -> new ArrayList<>(items);
            default -> new Undefined("'list' object has no attribute '" + name + "'");
        };
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
        long by = step == None.NONE ? 1 : Operators.whole(step);
        if (by == 0) {
            throw new TemplateException("slice step cannot be zero");
        }
        if (object instanceof Str s) {
            return sliceText(s, start, stop, by, budget);
        }
        if (object instanceof List<?> || object instanceof Tuple) {
            List<Object> items = Operators.items(object);
            var cut = new ArrayList<Object>();
            long[] range = range(items.size(), start, stop, by);
            for (long i = range[0]; by > 0 ? i < range[1] : i > range[1]; i += by) {
                budget.step();
                cut.add(items.get((int) i));
            }
            return object instanceof Tuple ? new Tuple(cut) : cut;
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
        List<Object> characters = Operators.items(s);
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
