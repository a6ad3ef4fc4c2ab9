package io.cortado.constrain;

import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import java.util.function.IntFunction;
import org.jspecify.annotations.Nullable;

/**
 * Lexemes by number, each made when it is first asked for. All must differ, and match some string
 * but not the empty one. Under the lock of their {@link Regexes}.
 */
public final class Lexemes {
    private final IntFunction<Regex> maker;
    private final @Nullable Regex[] made;
    private final Map<Regex, Integer> numbers = new HashMap<>();

    public Lexemes(int size, IntFunction<Regex> maker) {
        this.maker = maker;
        made = new Regex[size];
    }

    public Regex at(int number) {
        Regex known = made[number];
        if (known == null) {
            known = maker.apply(number);
            made[number] = known;
            numbers.put(known, number);
        }
        return known;
    }

    /** The number of a lexeme; -1 for one that is not among those made. */
    int indexOf(Regex lexeme) {
        return Objects.requireNonNullElse(numbers.get(lexeme), -1);
    }
}
