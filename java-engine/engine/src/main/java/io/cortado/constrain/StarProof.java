package io.cortado.constrain;

import java.util.HashSet;
import java.util.Set;

/**
 * Proves by its structure that a language is put together of strings of another one that is closed
 * under that, {@code x*}, without going through all of its states. That there is no proof says
 * nothing.
 */
final class StarProof {
    /** Parts that only together are strings of the other are searched through, so many at most. */
    private static final int MAX_SEARCHES = 4;

    private final Regexes regexes;
    private final Regex star;
    private final Set<Regex> proven = new HashSet<>();
    private int numSearches;

    StarProof(Regexes regexes, Regex star) {
        this.regexes = regexes;
        this.star = star;
    }

    static boolean isStar(Regex regex) {
        return regex.kind == Regex.Kind.REPEAT && regex.min == 0 && regex.max == Regexes.UNBOUNDED;
    }

    boolean holds(Regex regex) {
        if (proven.contains(regex)) {
            return true;
        }
        regexes.fuel().burn(1);
        boolean is =
                switch (regex.kind) {
                    case NOTHING, EMPTY -> true;
                    case BYTES -> admits(regex.set);
                    case LITERAL -> regexes.matches(star, regex.literal);
                    case CONCAT -> holdForAll(regex.parts) || isFound(regex);
                    case OR, REPEAT -> holdForAll(regex.parts);
                    case AND, NOT, MULTIPLE, SHORTEST -> false;
                };
        if (is) {
            proven.add(regex);
        }
        return is;
    }

    private boolean holdForAll(Regex[] parts) {
        for (Regex part : parts) {
            if (!holds(part)) {
                return false;
            }
        }
        return true;
    }

    private boolean isFound(Regex regex) {
        return ++numSearches <= MAX_SEARCHES
                && regexes.isEmpty(regexes.and(regex, regexes.not(star)));
    }

    /** Whether each byte of a set is a string of the other language. */
    private boolean admits(ByteSet set) {
        Derivatives derivatives = regexes.derivatives();
        ByteSet left = set;
        for (int value = left.next(0); value < 256; value = left.next(value)) {
            if (!derivatives.of(star, value).isNullable) {
                return false;
            }
            left = left.and(derivatives.sameAs(star, value, left).not());
        }
        return true;
    }
}
