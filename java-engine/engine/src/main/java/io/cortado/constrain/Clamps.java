package io.cortado.constrain;

import io.cortado.constrain.Regex.Kind;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Languages with smaller counts in which the tokens of a trie lead where they lead in the larger
 * ones: states that differ only in counts that no token reaches share a mask. Of one trie; under
 * the lock of its space.
 *
 * <p>A language and its clamped one have the same strings, and the same beginnings of strings, of
 * as many bytes as a token has; and the clamped one is the larger. Of what is made by
 * concatenation, union and repetition that holds where it holds of the parts. A token goes through
 * no more copies of a part than fit into a run of bytes that the part is made of.
 */
final class Clamps {
    /** No bound is known. */
    private static final int ANY = Integer.MAX_VALUE;

    private final Regexes regexes;
    private final TokenTable vocabulary;
    private final int trie;
    private final Map<Regex, Regex> clamped = new HashMap<>();
    private final Map<Regex, Integer> copies = new HashMap<>();
    private final Map<Regex, Integer> completions = new HashMap<>();

    /**
     * @param trie its number in the vocabulary
     */
    Clamps(Regexes regexes, TokenTable vocabulary, int trie) {
        this.regexes = regexes;
        this.vocabulary = vocabulary;
        this.trie = trie;
    }

    Regex of(Regex regex) {
        if (!regex.isCounted) {
            return regex;
        }
        Regex known = clamped.get(regex);
        if (known == null) {
            known = made(regex);
            clamped.put(regex, known);
        }
        return known;
    }

    private Regex made(Regex regex) {
        regexes.fuel().burn(1);
        return switch (regex.kind) {
            case CONCAT -> regexes.concat(of(regex.parts[0]), of(regex.parts[1]));
            case OR -> regexes.or(all(regex));
            case REPEAT -> repeat(regex);
            case AND -> and(regex);
            case NOTHING, EMPTY, BYTES, LITERAL, NOT, MULTIPLE, SHORTEST -> regex;
        };
    }

    private List<Regex> all(Regex regex) {
        var all = new ArrayList<Regex>(regex.parts.length);
        for (Regex part : regex.parts) {
            all.add(of(part));
        }
        return all;
    }

    private Regex repeat(Regex regex) {
        Regex part = regex.part();
        if (part.isNullable) {
            return regex;
        }
        int most = mostCopies(part);
        int min = Math.min(regex.min, most + 1);
        int max = regex.max > most ? Regexes.UNBOUNDED : regex.max;
        return regexes.repeat(of(part), min, max);
    }

    private int mostCopies(Regex part) {
        Integer known = copies.get(part);
        if (known == null) {
            known = vocabulary.longestRun(trie, alphabet(part)) / part.minLength;
            copies.put(part, known);
        }
        return known;
    }

    private static ByteSet alphabet(Regex regex) {
        return switch (regex.kind) {
            case BYTES -> regex.set;
            case LITERAL, CONCAT, OR, REPEAT -> {
                ByteSet all = ByteSet.NONE;
                for (byte value : regex.literal) {
                    all = all.or(ByteSet.of(value & 0xFF));
                }
                for (Regex part : regex.parts) {
                    all = all.or(alphabet(part));
                }
                yield all;
            }
            case NOTHING, EMPTY -> ByteSet.NONE;
            case AND, NOT, MULTIPLE, SHORTEST -> ByteSet.ALL;
        };
    }

    /**
     * Where an intersection bounds the length of a language that is far from the bound, whatever a
     * token does, that language.
     */
    private Regex and(Regex regex) {
        if (regex.parts.length != 2) {
            return regex;
        }
        Regex without = unbounded(regex.parts[0], regex.parts[1]);
        if (without == null) {
            without = unbounded(regex.parts[1], regex.parts[0]);
        }
        return without == null ? regex : without;
    }

    private @Nullable Regex unbounded(Regex bound, Regex bounded) {
        boolean isConcat = bound.kind == Kind.CONCAT;
        Regex last = isConcat ? bound.parts[1] : bound;
        if (last.kind != Kind.REPEAT || last.min > 0 || last.max == Regexes.UNBOUNDED) {
            return null;
        }
        // Each copy has a byte at least.
        long most = (long) vocabulary.trie(trie).maxDepth + completion(bounded);
        if (last.part().isNullable || last.max < most) {
            return null;
        }
        Regex clampedOne = of(bounded);
        Regex any = regexes.star(last.part());
        Regex all = isConcat ? regexes.concat(bound.parts[0], any) : any;
        return regexes.isSubset(clampedOne, all) ? clampedOne : null;
    }

    /** No beginning of a string needs more bytes to be completed; {@link #ANY} if none is known. */
    private int completion(Regex regex) {
        Integer known = completions.get(regex);
        if (known == null) {
            known = (int) Math.min(ANY, longestCompletion(regex));
            completions.put(regex, known);
        }
        return known;
    }

    private long longestCompletion(Regex regex) {
        return switch (regex.kind) {
            case NOTHING, EMPTY -> 0;
            case BYTES -> 1;
            case LITERAL -> regex.literal.length;
            case CONCAT ->
                    Math.max(
                            (long) completion(regex.parts[0]) + regex.parts[1].minLength,
                            completion(regex.parts[1]));
            case OR -> {
                int longest = 0;
                for (Regex part : regex.parts) {
                    longest = Math.max(longest, completion(part));
                }
                yield longest;
            }
            case REPEAT ->
                    completion(regex.part()) + Math.max(0, regex.min - 1L) * regex.part().minLength;
            case AND, NOT, MULTIPLE, SHORTEST -> ANY;
        };
    }
}
