package io.cortado.constrain.schema;

import io.cortado.constrain.Regex;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** What {@code format} says of strings. */
final class Formats {
    private static final int MAX_HOSTNAME = 253;

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
                            format.maybe().equals(format.surely())
                                    ? surely
                                    : body(format.maybe());
                    if (key.equals("hostname")) {
                        surely = hostname(surely);
                    }
                    return new Atom.StringIn(surely, formulas.text.except(maybe));
                });
    }

    /** Names with two hyphens in the third place are of other standards; left open here. */
    private Regex hostname(Regex names) {
        Regex shortEnough = formulas.text.ofLength(1, MAX_HOSTNAME);
        Regex reserved = formulas.text.search("(?:^|\\.)[^.]{2}--");
        return formulas.regexes.and(
                List.of(names, shortEnough, formulas.text.except(reserved)));
    }

    private Regex body(String pattern) {
        return formulas.text.search("^(?:" + pattern + ")$");
    }
}
