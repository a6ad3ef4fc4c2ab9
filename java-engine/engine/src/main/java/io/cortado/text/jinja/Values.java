package io.cortado.text.jinja;

import io.cortado.text.Origin;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Copies what a caller hands in to the engine's own values, and counts its characters. */
final class Values {
    private static final int MAX_NESTING = 128;

    private long chars;

    long chars() {
        return chars;
    }

    Object copy(@Nullable Object value, Origin origin) {
        return copy(value, origin, 0);
    }

    private Object copy(@Nullable Object value, Origin origin, int depth) {
        if (depth > MAX_NESTING) {
            throw new TemplateException("variable nested too deep: limit=" + MAX_NESTING);
        }
        return switch (value) {
            case null -> None.NONE;
            case CharSequence s -> {
                chars += s.length();
                yield Str.of(s.toString(), origin);
            }
            case Boolean b -> b;
            case Long n -> n;
            case Integer n -> n.longValue();
            case Short n -> n.longValue();
            case Byte n -> n.longValue();
            case Double d -> d;
            case Float f -> f.doubleValue();
            case BigInteger n -> n.bitLength() < 64 ? (Object) n.longValue() : n;
            case BigDecimal d -> d.doubleValue();
            case Map<?, ?> map -> {
                var copy = new LinkedHashMap<Object, Object>();
                map.forEach(
                        (k, v) -> copy.put(copy(k, origin, depth + 1), copy(v, origin, depth + 1)));
                yield copy;
            }
            case List<?> list -> {
                var copy = new ArrayList<Object>(list.size());
                list.forEach(item -> copy.add(copy(item, origin, depth + 1)));
                yield copy;
            }
            default ->
                    throw new TemplateException(
                            "variable of a type that templates do not know: "
                                    + value.getClass().getName());
        };
    }
}
