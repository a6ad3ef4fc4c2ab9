package io.cortado.text.jinja;

import java.time.ZonedDateTime;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The functions that every template finds defined. */
final class Globals {
    private Globals() {}

    static Map<String, Object> create(TemplateOptions options, Budget budget) {
        var globals = new HashMap<String, Object>();
        globals.put("range", (Callable) args -> range(args, budget));
        globals.put("dict", (Callable) Globals::dict);
        globals.put("namespace", (Callable) Globals::namespace);
        globals.put("joiner", (Callable) Globals::joiner);
        globals.put("cycler", (Callable) Globals::cycler);
        globals.put(
                "raise_exception",
                (Callable)
                        args -> {
                            throw TemplateException.raised(
                                    Repr.str(args.required(0, "message")).text());
                        });
        globals.put(
                "strftime_now",
                (Callable)
                        args ->
                                Str.literal(
                                        Strftime.format(
                                                args.text(0, "format").text(),
                                                ZonedDateTime.now(options.clock()))));
        return globals;
    }

    private static Object range(Arguments args, Budget budget) {
        args.atMost(3, "range");
        boolean single = args.size() == 1;
        long start = single ? 0 : args.whole(0, "start", 0);
        long stop = single ? args.whole(0, "stop", 0) : args.whole(1, "stop", 0);
        long step = args.whole(2, "step", 1);
        if (step == 0) {
            throw new TemplateException("range() step must not be zero");
        }
        if (args.size() == 0) {
            throw new TemplateException("range expected at least 1 argument, got 0");
        }
        double count = Math.ceil(((double) stop - start) / step);
        budget.list((long) Math.max(0, count));
        var items = new ArrayList<Object>();
        for (long i = start; step > 0 ? i < stop : i > stop; i += step) {
            items.add(i);
        }
        return items;
    }

    private static Object dict(Arguments args) {
        var map = new LinkedHashMap<Object, Object>();
        if (!args.positional().isEmpty()) {
            Object source = args.positional().getFirst();
            if (source instanceof Map<?, ?> other) {
                map.putAll(Operators.map(other));
            } else {
                for (Object pair : Operators.items(source)) {
                    List<Object> entry = Operators.items(pair);
                    if (entry.size() != 2) {
                        throw new TemplateException("dict needs pairs: items=" + entry.size());
                    }
                    Operators.put(map, entry.get(0), entry.get(1));
                }
            }
        }
        args.named().forEach((name, value) -> map.put(Str.literal(name), value));
        return map;
    }

    private static Object namespace(Arguments args) {
        var namespace = new Namespace();
        Operators.map((Map<?, ?>) dict(args))
                .forEach((name, value) -> namespace.attributes().put(Repr.str(name).text(), value));
        return namespace;
    }

    private static Object joiner(Arguments args) {
        Str separator = args.has(0, "sep") ? args.text(0, "sep") : Str.literal(", ");
        boolean[] used = {false};
        return (Callable)
                _ -> {
                    Str result = used[0] ? separator : Str.EMPTY;
                    used[0] = true;
                    return result;
                };
    }

    private static Object cycler(Arguments args) {
        if (args.positional().isEmpty()) {
            throw new TemplateException("at least one item has to be provided");
        }
        var cycler = new Namespace();
        int[] at = {0};
        cycler.attributes()
                .put(
                        "next",
                        (Callable) _ -> args.positional().get(at[0]++ % args.positional().size()));
        cycler.attributes()
                .put(
                        "reset",
                        (Callable)
                                _ -> {
                                    at[0] = 0;
                                    return None.NONE;
                                });
        return cycler;
    }
}
