package io.cortado.constrain.schema;

import io.cortado.constrain.Regex;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** What {@code format} says of strings. */
final class Formats {
    private final Formulas formulas;
    private final Map<String, Atom> known = new HashMap<>();

    Formats(Formulas formulas) {
        this.formulas = formulas;
    }

    /** Null where the format is not known. */
    @Nullable Atom atom(String name) {
        FormatPatterns.Format format = FormatPatterns.of(name);
        if (format == null) {
            return null;
        }
        return known.computeIfAbsent(
                name,
                key -> {
                    Regex surely = body(format.surely());
                    Regex maybe =
                            format.maybe().equals(format.surely()) ? surely : body(format.maybe());
                    return new Atom.StringIn(surely, formulas.text.except(maybe));
                });
    }

    private Regex body(String pattern) {
        return formulas.text.search("^(?:" + pattern + ")$");
    }
}
