package io.cortado.text.jinja;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/** The filters of lists and mappings. Lazy ones give a {@link Generator}, as in Jinja2. */
final class ListFilters {
    private static final int MAX_PATH = 64;
    static final Set<String> NAMES =
            Set.of(
                    "batch",
                    "dictsort",
                    "first",
                    "groupby",
                    "join",
                    "last",
                    "list",
                    "map",
                    "max",
                    "min",
                    "reject",
                    "rejectattr",
                    "reverse",
                    "select",
                    "selectattr",
                    "slice",
                    "sort",
                    "sum",
                    "unique");

    private final Filters filters;
    private final Budget budget;

    ListFilters(Filters filters, Budget budget) {
        this.filters = filters;
        this.budget = budget;
    }

    Object run(String name, Object value, Arguments args) {
        List<Object> items = Operators.items(value, budget);
        budget.items(items.size());
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
                    value instanceof Str
                            ? StrChange.join(Str.EMPTY, items.reversed(), budget)
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
        args.known("join", "d", "attribute");
        Str separator = args.has(0, "d") ? Repr.str(args.required(0, "d"), budget) : Str.EMPTY;
        Function<Object, Object> attribute = key(args, 1);
        return StrChange.join(
                separator,
                items.stream().map(i -> (Object) Repr.str(attribute.apply(i), budget)).toList(),
                budget);
    }

    private Object map(List<Object> items, Arguments args) {
        Function<Object, Object> change;
        if (args.positional().isEmpty() && args.named().containsKey("attribute")) {
            for (String name : args.named().keySet()) {
                if (!name.equals("attribute") && !name.equals("default")) {
                    throw new TemplateException("map() has no argument '" + name + "'");
                }
            }
            change = attribute(args.required(0, "attribute"), args.named().get("default"));
        } else {
            if (args.positional().isEmpty()) {
                throw new TemplateException("map requires a filter argument");
            }
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
        return item -> Tests.run(test, key.apply(item), args.from(at + 1), budget);
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
        if (names.length > MAX_PATH) {
            throw new TemplateException(
                    "attribute path too long: names=" + names.length + " limit=" + MAX_PATH);
        }
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

    /** What a filter's argument {@code attribute} picks of an item: the item itself without one. */
    private Function<Object, Object> key(Arguments args, int at) {
        Object attribute = args.optional(at, "attribute", None.NONE);
        return attribute == None.NONE ? Function.identity() : attribute(attribute, null);
    }

    private Object folded(Object value, boolean caseSensitive) {
        return !caseSensitive && value instanceof Str s ? StrChange.lower(s, budget) : value;
    }

    private Object sort(List<Object> items, Arguments args) {
        args.known("sort", "reverse", "case_sensitive", "attribute");
        boolean caseSensitive = args.truth(1, "case_sensitive", false);
        var keys = new ArrayList<Function<Object, Object>>();
        if (args.optional(2, "attribute", None.NONE) instanceof Str names
                && names.text().contains(",")) {
            for (String name : names.text().split(",", -1)) {
                keys.add(attribute(Str.literal(name.strip()), null));
            }
        } else {
            keys.add(key(args, 2));
        }
        var sorted = new ArrayList<Keyed>();
        for (Object item : items) {
            List<Object> values =
                    keys.stream().map(key -> folded(key.apply(item), caseSensitive)).toList();
            sorted.add(new Keyed(item, values));
        }
        sortBudgeted(sorted, args.truth(0, "reverse", false));
        return new ArrayList<>(sorted.stream().map(Keyed::item).toList());
    }

    /** An item with what it is sorted by. */
    private record Keyed(Object item, List<Object> keys) {}

    /**
     * Equal values need no order between them: Jinja2 sorts by lists of keys, which compare that
     * way.
     */
    private int compareKeys(Keyed a, Keyed b) {
        for (int i = 0; i < a.keys().size(); i++) {
            Object x = a.keys().get(i);
            Object y = b.keys().get(i);
            if (!Operators.areEqual(x, y, budget)) {
                return Operators.compare(x, y, budget);
            }
        }
        return 0;
    }

    private void sortBudgeted(List<Keyed> items, boolean reverse) {
        Comparator<Keyed> order = this::compareKeys;
        try {
            items.sort(reverse ? order.reversed() : order);
        } catch (IllegalArgumentException e) {
            // Ints beyond 2^53 and floats between them have no order that holds throughout.
            throw new TemplateException("no order between these numbers: items=" + items.size());
        }
    }

    private Object dictSort(Object value, Arguments args) {
        if (!(value instanceof Map<?, ?> map)) {
            throw new TemplateException(
                    "dictsort needs a mapping, got " + Operators.typeName(value));
        }
        args.known("dictsort", "case_sensitive", "by", "reverse");
        boolean caseSensitive = args.truth(0, "case_sensitive", false);
        String by = args.has(1, "by") ? args.text(1, "by").text() : "key";
        boolean byValue = by.equals("value");
        if (!byValue && !by.equals("key")) {
            throw new TemplateException("dictsort's by must be key or value: by=" + by);
        }
        var sorted = new ArrayList<Keyed>();
        for (Object pair : MapMethods.pairs(Operators.map(map), budget)) {
            Object key = ((Tuple) pair).items().get(byValue ? 1 : 0);
            sorted.add(new Keyed(pair, List.of(folded(key, caseSensitive))));
        }
        sortBudgeted(sorted, args.truth(2, "reverse", false));
        return new ArrayList<>(sorted.stream().map(Keyed::item).toList());
    }

    private Object unique(List<Object> items, Arguments args) {
        args.known("unique", "case_sensitive", "attribute");
        boolean caseSensitive = args.truth(0, "case_sensitive", false);
        Function<Object, Object> attribute = key(args, 1);
        var seen = new LinkedHashMap<Object, Object>();
        for (Object item : items) {
            seen.putIfAbsent(
                    Operators.groupKey(folded(attribute.apply(item), caseSensitive), budget), item);
        }
        return new Generator(new ArrayList<>(seen.values()));
    }

    private Object sum(List<Object> items, Arguments args) {
        args.known("sum", "attribute", "start");
        Function<Object, Object> attribute = key(args, 0);
        Object total = args.optional(1, "start", 0L);
        if (total instanceof Str) {
            throw new TemplateException("sum() cannot add strings: use join");
        }
        for (Object item : items) {
            total = Arithmetic.apply("+", total, attribute.apply(item), budget);
        }
        return total;
    }

    private Object extreme(List<Object> items, Arguments args, int sign) {
        args.known(sign > 0 ? "min" : "max", "case_sensitive", "attribute");
        boolean caseSensitive = args.truth(0, "case_sensitive", false);
        Function<Object, Object> attribute = key(args, 1);
        if (items.isEmpty()) {
            return new Undefined("No aggregated item, sequence was empty.");
        }
        Object best = items.getFirst();
        for (Object item : items) {
            int order =
                    Operators.compare(
                            folded(attribute.apply(item), caseSensitive),
                            folded(attribute.apply(best), caseSensitive),
                            budget);
            best = order * sign < 0 ? item : best;
        }
        return best;
    }

    private Object batch(List<Object> items, Arguments args) {
        args.known("batch", "linecount", "fill_with");
        long size = Operators.whole(args.required(0, "linecount"));
        Object fill = args.optional(1, "fill_with", None.NONE);
        var batches = new ArrayList<Object>();
        var batch = new ArrayList<Object>();
        for (Object item : items) {
            // As Jinja2: the first batch of a size of 0 is empty.
            if (batch.size() == size) {
                batches.add(batch);
                batch = new ArrayList<>();
            }
            batch.add(item);
        }
        if (!batch.isEmpty()) {
            if (fill != None.NONE && batch.size() < size) {
                budget.list(size);
                while (batch.size() < size) {
                    batch.add(fill);
                }
            }
            batches.add(batch);
        }
        return new Generator(batches);
    }

    private Object slices(List<Object> items, Arguments args) {
        args.known("slice", "slices", "fill_with");
        long asked = Operators.whole(args.required(0, "slices"));
        if (asked == 0) {
            throw new TemplateException("division by zero");
        }
        budget.list(Math.max(0, asked));
        int count = (int) Math.max(0, asked);
        if (count == 0) {
            return new Generator(List.of());
        }
        Object fill = args.optional(1, "fill_with", None.NONE);
        int each = items.size() / count;
        int longer = items.size() % count;
        var slices = new ArrayList<Object>();
        int from = 0;
        for (int i = 0; i < count; i++) {
            int to = from + each + (i < longer ? 1 : 0);
            var slice = new ArrayList<>(items.subList(from, to));
            if (fill != None.NONE && i >= longer) {
                slice.add(fill);
            }
            slices.add(slice);
            from = to;
        }
        return new Generator(slices);
    }

    private Object groupBy(List<Object> items, Arguments args) {
        args.known("groupby", "attribute", "default", "case_sensitive");
        boolean caseSensitive = args.truth(2, "case_sensitive", false);
        Function<Object, Object> attribute =
                attribute(
                        args.required(0, "attribute"),
                        args.has(1, "default") ? args.required(1, "default") : null);
        var sorted = new ArrayList<Keyed>();
        for (Object item : items) {
            sorted.add(new Keyed(item, List.of(folded(attribute.apply(item), caseSensitive))));
        }
        sortBudgeted(sorted, false);
        var groups = new LinkedHashMap<Object, List<Object>>();
        var keys = new LinkedHashMap<Object, Object>();
        for (Keyed keyed : sorted) {
            Object folded = Operators.groupKey(keyed.keys().getFirst(), budget);
            keys.putIfAbsent(folded, attribute.apply(keyed.item()));
            groups.computeIfAbsent(folded, k -> new ArrayList<>()).add(keyed.item());
        }
        var result = new ArrayList<Object>();
        groups.forEach((folded, group) ->
                result.add(
                        new Tuple(
                                List.of(keys.getOrDefault(folded, folded), group),
                                List.of("grouper", "list"))));
        return result;
    }
}
