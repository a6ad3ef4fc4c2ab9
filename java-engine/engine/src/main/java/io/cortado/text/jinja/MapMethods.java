package io.cortado.text.jinja;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The methods of a mapping that change nothing. */
final class MapMethods {
    private MapMethods() {}

    static @Nullable Callable find(Map<Object, Object> map, String name) {
        return switch (name) {
            case "get" ->
                    args -> {
                        Object value = Operators.find(map, args.required(0, "key"));
                        return value == null ? args.optional(1, "default", None.NONE) : value;
                    };
            case "items" -> _ -> new DictView("dict_items", pairs(map));
            case "keys" -> _ -> new DictView("dict_keys", new ArrayList<>(map.keySet()));
            case "values" -> _ -> new DictView("dict_values", new ArrayList<>(map.values()));
            case "copy" -> _ -> new LinkedHashMap<>(map);
            default -> null;
        };
    }

    static List<Object> pairs(Map<Object, Object> map) {
        var pairs = new ArrayList<Object>();
        map.forEach((key, value) -> pairs.add(new Tuple(List.of(key, value))));
        return pairs;
    }
}
