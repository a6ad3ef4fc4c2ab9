package io.cortado.text.jinja;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Function;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/** The filters of lists and mappings. Lazy ones give a {@link Generator}, as in Jinja2. */
final class ListFilters {
    private final Filters filters;
    private final Budget budget;

    ListFilters(Filters filters, Budget budget) {
        this.filters = filters;
        this.budget = budget;
    }

    Object run(String name, Object value, Arguments args) {
        List<Object> items = Operators.items(value);
        budget.step(items.size());
        return switch (name) {
            case "first" ->
                    items.isEmpty()
                            ? new Undefined("No first item, sequence was empty.")
                            : items.getFirst();
            case "last" -> {
                if (value instanceof Generator) {
                    throw new TemplateException("'generator' object is not reversible");
                }
                yield items.isEmpty()
                        ? new Undefined("No last item, sequence was empty.")
                        : items.getLast();
            }
            case "list" -> new ArrayList<>(items);
            case "join" -> join(items, args);
            case "map" -> map(items, args);
            case "select", "reject" ->
                    new Generator(
                            keep(items, test(args, 0, Function.identity()), name.equals("select")));
            case "selectattr", "rejectattr" ->
                    new Generator(
                            keep(
                                    items,
                                    test(args, 1, attribute(args.required(0, "attribute"), null)),
                                    name.equals("selectattr")));
            case "sort" -> sort(items, args);
            case "dictsort" -> dictSort(value, args);
            case "unique" -> unique(items, args);
            case "reverse" ->
                    value instanceof Str s
                            ? s.derive(new StringBuilder(s.text()).reverse().toString())
                            : new Generator(items.reversed());
            case "sum" -> sum(items, args);
            case "min" -> extreme(items, args, 1);
            case "max" -> extreme(items, args, -1);
            case "batch" -> batch(items, args);
            case "slice" -> slices(items, args);
            default -> groupBy(items, args);
        };
    }

    private Object join(List<Object> items, Arguments args) {
        Str separator = args.has(0, "d") ? Repr.str(args.required(0, "d")) : Str.EMPTY;
        Function<Object, Object> attribute =
                args.has(1, "attribute")
                        ? attribute(args.required(1, "attribute"), null)
                        : Function.identity();
        return StrMethods.join(
                separator,
                items.stream().map(i -> (Object) Repr.str(attribute.apply(i))).toList(),
                budget);
    }

    private Object map(List<Object> items, Arguments args) {
        Function<Object, Object> change;
        if (args.positional().isEmpty() && args.named().containsKey("attribute")) {
            change = attribute(args.required(0, "attribute"), args.named().get("default"));
        } else {
            String filter = args.text(0, "filter").text();
            change = item -> filters.run(filter, item, args.from(1));
        }
        return new Generator(items.stream().map(change).toList());
    }

    private Predicate<Object> test(Arguments args, int at, Function<Object, Object> key) {
        if (args.positional().size() <= at) {
            return item -> Operators.isTrue(key.apply(item));
        }
        String test = args.text(at, "test").text();
        return item -> Tests.run(test, key.apply(item), args.from(at + 1), filters);
    }

    private List<Object> keep(List<Object> items, Predicate<Object> test, boolean wanted) {
        return items.stream().filter(item -> test.test(item) == wanted).toList();
    }

    /** Reads an attribute by name, by number or by a path with dots. */
    private Function<Object, Object> attribute(Object path, @Nullable Object fallback) {
        if (path instanceof Long) {
            return item -> Subscripts.item(item, path, budget);
        }
        String[] names = Operators.text(path, "attribute").text().split("\\.", -1);
        return item -> {
            Object value = item;
            for (String name : names) {
                boolean isIndex =
                        !name.isEmpty()
                                && name.length() < 10
                                && name.chars().allMatch(c -> c >= '0' && c <= '9');
                value =
                        Subscripts.item(
                                value,
                                isIndex ? (Object) Long.parseLong(name) : Str.literal(name),
                                budget);
                if (fallback != null && value instanceof Undefined) {
                    return fallback;
                }
            }
            return value;
        };
    }

    private static Object folded(Object value, boolean caseSensitive) {
        return !caseSensitive && value instanceof Str s
                ? s.derive(s.text().toLowerCase(Locale.ROOT))
                : value;
    }

    private Object sort(List<Object> items, Arguments args) {
        boolean caseSensitive = args.truth(1, "case_sensitive", false);
        var sorted = new ArrayList<>(items);
        @Nullable Comparator<Object> order = null;
        if (args.has(2, "attribute") && args.required(2, "attribute") != None.NONE) {
            Object attribute = args.required(2, "attribute");
            if (attribute instanceof Str names && names.text().contains(",")) {
                for (String name : names.text().split(",", -1)) {
                    Function<Object, Object> key = attribute(Str.literal(name.strip()), null);
                    Comparator<Object> next = by(key, caseSensitive);
                    order = order == null ? next : order.thenComparing(next);
                }
            } else {
                Function<Object, Object> key = attribute(attribute, null);
                order = by(key, caseSensitive);
            }
        } else {
            order = by(Function.identity(), caseSensitive);
        }
        sortBudgeted(
                sorted,
                order == null ? Operators::compare : order,
                args.truth(0, "reverse", false));
        return sorted;
    }

    /**
     * Equal values need no order between them: Jinja2 sorts by lists of keys, which compare that
     * way.
     */
    private static Comparator<Object> by(Function<Object, Object> key, boolean caseSensitive) {
        return (a, b) -> {
            Object x = folded(key.apply(a), caseSensitive);
            Object y = folded(key.apply(b), caseSensitive);
            return Operators.areEqual(x, y) ? 0 : Operators.compare(x, y);
        };
    }

    private void sortBudgeted(List<Object> items, Comparator<Object> order, boolean reverse) {
        Comparator<Object> counted =
                (a, b) -> {
                    budget.step();
                    return order.compare(a, b);
                };
        items.sort(reverse ? counted.reversed() : counted);
    }

    private Object dictSort(Object value, Arguments args) {
        if (!(value instanceof Map<?, ?> map)) {
            throw new TemplateException(
                    "dictsort needs a mapping, got " + Operators.typeName(value));
        }
        boolean caseSensitive = args.truth(0, "case_sensitive", false);
        boolean byValue = args.has(1, "by") && args.text(1, "by").text().equals("value");
        List<Object> pairs = MapMethods.pairs(Operators.map(map));
        Function<Object, Object> key =
                pair -> folded(((Tuple) pair).items().get(byValue ? 1 : 0), caseSensitive);
        sortBudgeted(
                pairs,
                (a, b) -> Operators.compare(key.apply(a), key.apply(b)),
                args.truth(2, "reverse", false));
        return pairs;
    }

    private Object unique(List<Object> items, Arguments args) {
        boolean caseSensitive = args.truth(0, "case_sensitive", false);
        Function<Object, Object> attribute =
                args.has(1, "attribute")
                        ? attribute(args.required(1, "attribute"), null)
                        : Function.identity();
        var seen = new LinkedHashMap<Object, Object>();
        for (Object item : items) {
            seen.putIfAbsent(Operators.key(folded(attribute.apply(item), caseSensitive)), item);
        }
        return new Generator(new ArrayList<>(seen.values()));
    }

    private Object sum(List<Object> items, Arguments args) {
        Function<Object, Object> attribute =
                args.has(0, "attribute") && args.required(0, "attribute") != None.NONE
                        ? attribute(args.required(0, "attribute"), null)
                        : Function.identity();
        Object total = args.optional(1, "start", 0L);
        for (Object item : items) {
            total = Arithmetic.apply("+", total, attribute.apply(item), budget);
        }
        return total;
    }

    private Object extreme(List<Object> items, Arguments args, int sign) {
        boolean caseSensitive = args.truth(0, "case_sensitive", false);
        Function<Object, Object> attribute =
                args.has(1, "attribute")
                        ? attribute(args.required(1, "attribute"), null)
                        : Function.identity();
        if (items.isEmpty()) {
            return new Undefined("No aggregated item, sequence was empty.");
        }
        Object best = items.getFirst();
        for (Object item : items) {
            int order =
                    Operators.compare(
                            folded(attribute.apply(item), caseSensitive),
                            folded(attribute.apply(best), caseSensitive));
            best = order * sign < 0 ? item : best;
        }
        return best;
    }

    private Object batch(List<Object> items, Arguments args) {
        int size = (int) Math.clamp(args.whole(0, "linecount", 1), 1, Budget.MAX_RANGE);
        var batches = new ArrayList<Object>();
        for (int i = 0; i < items.size(); i += size) {
            var batch = new ArrayList<>(items.subList(i, Math.min(i + size, items.size())));
            while (args.has(1, "fill_with") && batch.size() < size) {
                batch.add(args.required(1, "fill_with"));
            }
            batches.add(batch);
        }
        return new Generator(batches);
    }

    private Object slices(List<Object> items, Arguments args) {
        int count = (int) Math.clamp(args.whole(0, "slices", 1), 1, Budget.MAX_RANGE);
        int each = items.size() / count;
        int longer = items.size() % count;
        var slices = new ArrayList<Object>();
        int from = 0;
        for (int i = 0; i < count; i++) {
            int to = from + each + (i < longer ? 1 : 0);
            var slice = new ArrayList<>(items.subList(from, to));
            if (args.has(1, "fill_with") && i >= longer) {
                slice.add(args.required(1, "fill_with"));
            }
            slices.add(slice);
            from = to;
        }
        return new Generator(slices);
    }

    private Object groupBy(List<Object> items, Arguments args) {
        boolean caseSensitive = args.truth(2, "case_sensitive", false);
        Function<Object, Object> attribute =
                attribute(
                        args.required(0, "attribute"),
                        args.has(1, "default") ? args.required(1, "default") : null);
        var sorted = new ArrayList<>(items);
        sortBudgeted(
                sorted,
                (a, b) ->
                        Operators.compare(
                                folded(attribute.apply(a), caseSensitive),
                                folded(attribute.apply(b), caseSensitive)),
                false);
        var groups = new LinkedHashMap<Object, List<Object>>();
        var keys = new LinkedHashMap<Object, Object>();
        for (Object item : sorted) {
            Object key = attribute.apply(item);
            Object folded = Operators.key(folded(key, caseSensitive));
            keys.putIfAbsent(folded, key);
            groups.computeIfAbsent(folded, k -> new ArrayList<>()).add(item);
        }
        var result = new ArrayList<Object>();
        groups.forEach((folded, group) ->
                result.add(new Tuple(List.of(keys.getOrDefault(folded, folded), group))));
        return result;
    }
}
