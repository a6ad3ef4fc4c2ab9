package io.cortado.text.jinja;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Python's tuple, which prints and compares otherwise than a list.
 *
 * @param fields names of the items, as those of {@code groupby} have them; empty for most
 */
record Tuple(List<Object> items, List<String> fields) {
    Tuple(List<Object> items) {
        this(items, List.of());
    }

    @Nullable Object field(String name) {
        int index = fields.indexOf(name);
        return index < 0 ? null : items.get(index);
    }

    @Override
    public boolean equals(@Nullable Object other) {
        return other instanceof Tuple that && items.equals(that.items);
    }

    @Override
    public int hashCode() {
        return items.hashCode();
    }
}
