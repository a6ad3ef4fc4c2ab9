package io.cortado.text.jinja;

import java.time.ZonedDateTime;
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
        globals.put("dict", (Callable) args -> dict(args, budget));
        globals.put("namespace", (Callable) args -> namespace(args, budget));
        globals.put("joiner", (Callable) Globals::joiner);
        globals.put("cycler", (Callable) Globals::cycler);
        globals.put(
                "raise_exception",
                (Callable)
                        args -> {
                            throw TemplateException.raised(
                                    Repr.str(args.required(0, "message"), budget).text());
                        });
        globals.put(
                "strftime_now",
                (Callable)
                        args -> {
                            Str format = args.text(0, "format");
                            budget.scan(format.text().length());
                            return format.derive(
                                    Strftime.format(
                                            format.text(), ZonedDateTime.now(options.clock())));
                        });
        globals.put(
                "lipsum",
                (Callable)
                        _ -> {
                            throw new TemplateException("lipsum is refused: its text is random");
                        });
        return globals;
    }

    private static Object range(Arguments args, Budget budget) {
        args.atMost(3, "range");
        boolean single = args.size() == 1;
        long start = single ? 0 : args.whole(0, "start", 0);
        long stop = single ? args.whole(0, "stop", 0) : args.whole(1, "stop", 0);
        long step = args.whole(2, "step", 1);
        args.noneNamed("range");
        if (args.size() == 0) {
            throw new TemplateException("range expected at least 1 argument, got 0");
        }
        return Range.of(start, stop, step, budget);
    }

    private static Map<Object, Object> dict(Arguments args, Budget budget) {
        var map = new LinkedHashMap<Object, Object>();
        if (!args.positional().isEmpty()) {
            Object source = args.positional().getFirst();
            if (source instanceof Map<?, ?> other) {
                budget.items(other.size());
                map.putAll(Operators.map(other));
            } else {
                for (Object pair : Operators.items(source, budget)) {
                    List<Object> entry = Operators.items(pair, budget);
                    if (entry.size() != 2) {
                        throw new TemplateException("dict needs pairs: items=" + entry.size());
                    }
                    Operators.put(map, entry.get(0), entry.get(1), budget);
                }
            }
        }
        args.named().forEach((name, value) -> map.put(Str.name(name), value));
        return map;
    }

    private static Object namespace(Arguments args, Budget budget) {
        var namespace = new Namespace();
        dict(args, budget)
                .forEach((name, value) ->
                        namespace.attributes().put(Repr.str(name, budget).text(), value));
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
        return new Cycler(args.positional());
    }
}
