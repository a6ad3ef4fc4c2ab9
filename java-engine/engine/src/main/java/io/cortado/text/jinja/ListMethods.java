package io.cortado.text.jinja;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The methods of a list that change nothing; a tuple has all but {@code copy}. */
final class ListMethods {
    private ListMethods() {}

    static @Nullable Callable find(List<Object> items, String name, Budget budget) {
        return switch (name) {
            case "count" -> args -> count(items, args, budget);
            case "index" -> args -> index(items, args, budget);
            case "copy" ->
                    _ -> {
                        budget.list(items.size());
                        return new ArrayList<>(items);
                    };
            default -> null;
        };
    }

    private static Object count(List<Object> items, Arguments args, Budget budget) {
        args.exactly(1, "count");
        Object wanted = args.required(0, "value");
        long count = 0;
        for (Object item : items) {
            count += Operators.areEqual(item, wanted, budget) ? 1 : 0;
        }
        return count;
    }

    private static Object index(List<Object> items, Arguments args, Budget budget) {
        args.noneNamed("index");
        Object wanted = args.required(0, "value");
        int size = items.size();
        int start = Strings.clip(args.whole(1, "start", 0), size);
        int stop = Strings.clip(args.whole(2, "stop", size), size);
        for (int i = start; i < stop; i++) {
            if (Operators.areEqual(items.get(i), wanted, budget)) {
                return (long) i;
            }
        }
        throw new TemplateException(Repr.repr(wanted, budget) + " is not in list");
    }
}
