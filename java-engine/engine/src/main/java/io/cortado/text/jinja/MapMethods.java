package io.cortado.text.jinja;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The methods of a mapping that change nothing. */
final class MapMethods {
    private MapMethods() {}

    static @Nullable Callable find(Map<Object, Object> map, String name, Budget budget) {
        return switch (name) {
            case "get" ->
                    args -> {
                        args.noneNamed("get");
                        args.atMost(2, "get");
                        Object value = Operators.find(map, args.required(0, "key"), budget);
                        return value == null ? args.optional(1, "default", None.NONE) : value;
                    };
            case "items" -> args -> view("dict_items", pairs(map, budget), args);
            case "keys" -> args -> view("dict_keys", keys(map, budget), args);
            case "values" -> args -> view("dict_values", values(map, budget), args);
            case "copy" ->
                    args -> {
                        args.exactly(0, "copy");
                        budget.items(map.size());
                        return new LinkedHashMap<>(map);
                    };
            default -> null;
        };
    }

    private static DictView view(String kind, List<Object> items, Arguments args) {
        args.exactly(0, kind);
        return new DictView(kind, items);
    }

    private static List<Object> keys(Map<Object, Object> map, Budget budget) {
        budget.items(map.size());
        return new ArrayList<>(map.keySet());
    }

    private static List<Object> values(Map<Object, Object> map, Budget budget) {
        budget.items(map.size());
        return new ArrayList<>(map.values());
    }

    static List<Object> pairs(Map<Object, Object> map, Budget budget) {
        budget.items(map.size());
        var pairs = new ArrayList<Object>();
        map.forEach((key, value) -> pairs.add(new Tuple(List.of(key, value))));
        return pairs;
    }
}
