package io.cortado.model;

import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The keys of one architecture, {@code llama.*} say. It remembers which were asked for, so that
 * those that nobody understood can be refused.
 */
final class GgufKeys {
    private final String prefix;
    private final GgufMetadata metadata;
    private final Set<String> understood = new HashSet<>();

    GgufKeys(String architecture, GgufMetadata metadata) {
        this.prefix = architecture + ".";
        this.metadata = metadata;
    }

    /** The key with its architecture. */
    String full(String key) {
        return prefix + key;
    }

    boolean has(String key) {
        understood.add(prefix + key);
        return metadata.has(prefix + key);
    }

    int integer(String key, int low, int high) {
        if (!has(key)) {
            throw ModelException.invalid("there is no " + full(key));
        }
        return integer(key, low, high, low);
    }

    /** A number, or one for each layer that are all the same. */
    int integer(String key, int low, int high, int absent) {
        has(key);
        Object value = metadata.integers(prefix + key);
        if (value == null) {
            return absent;
        }
        if (value instanceof List<?> perLayer) {
            if (Set.copyOf(perLayer).size() != 1) {
                throw ModelException.unsupported(
                        full(key) + " must be the same for all layers here: " + perLayer);
            }
            value = perLayer.getFirst();
        }
        if (!(value instanceof Long number) || number < low || number > high) {
            throw ModelException.invalid(
                    "%s must be in [%d, %d]: %s".formatted(full(key), low, high, value));
        }
        return Math.toIntExact(number);
    }

    double number(String key, double low, double high) {
        if (!has(key)) {
            throw ModelException.invalid("there is no " + full(key));
        }
        return number(key, low, high, low);
    }

    double number(String key, double low, double high, double absent) {
        has(key);
        Double value = metadata.number(prefix + key);
        if (value == null) {
            return absent;
        }
        if (!(value >= low && value <= high)) {
            throw ModelException.invalid(
                    "%s must be in [%s, %s]: %s".formatted(full(key), low, high, value));
        }
        return value;
    }

    @Nullable String text(String key) {
        has(key);
        return metadata.text(prefix + key);
    }

    /** What this engine does in any case: a key that asks for something else is refused. */
    void require(String key, boolean wanted) {
        has(key);
        Boolean value = metadata.flag(prefix + key);
        if (value != null && value != wanted) {
            throw ModelException.unsupported(full(key) + "=" + value + " is not supported");
        }
    }

    /** A number that is only understood at this value. */
    void require(String key, double wanted) {
        has(key);
        Double value = metadata.number(prefix + key);
        if (value != null && value != wanted) {
            throw ModelException.unsupported(
                    "%s must be %s here: %s".formatted(full(key), wanted, value));
        }
    }

    void refuseWhatNobodyUnderstood() {
        for (String key : metadata.keys()) {
            if (key.startsWith(prefix) && !understood.contains(key)) {
                throw ModelException.unsupported(
                        "this engine does not understand " + SafetensorsHeader.shortened(key));
            }
        }
    }

    GgufMetadata metadata() {
        return metadata;
    }
}
