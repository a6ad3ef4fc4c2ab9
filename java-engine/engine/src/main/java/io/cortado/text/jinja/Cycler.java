package io.cortado.text.jinja;

import java.util.List;
import org.jspecify.annotations.Nullable;

/** What the function {@code cycler} gives: goes through its items again and again. */
final class Cycler {
    private final List<Object> items;
    private int at;

    Cycler(List<Object> items) {
        this.items = items;
    }

    @Nullable Object attribute(String name) {
        return switch (name) {
            case "current" -> items.get(at);
            case "items" -> new Tuple(items);
            case "pos" -> (long) at;
            case "next" ->
                    (Callable)
                            _ -> {
                                Object item = items.get(at);
                                at = (at + 1) % items.size();
                                return item;
                            };
            case "reset" ->
                    (Callable)
                            _ -> {
                                at = 0;
                                return None.NONE;
                            };
            default -> null;
        };
    }
}
