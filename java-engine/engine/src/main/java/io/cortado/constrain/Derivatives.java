package io.cortado.constrain;

import io.cortado.constrain.Regex.Inhabited;
import io.cortado.constrain.Regex.Kind;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.PriorityQueue;
import org.jspecify.annotations.Nullable;

/**
 * Brzozowski's derivatives: what may follow a byte, the bytes that cannot be told apart, and
 * whether anything matches at all.
 */
final class Derivatives {
    private static final ByteSet COUNTED = ByteSet.range('0', '9').or(ByteSet.of('.'));

    private static final int MAX_LENGTH = 200;
    private static final int MANY = 16;

    private final Regexes regexes;
    private final Fuel fuel;

    Derivatives(Regexes regexes, Fuel fuel) {
        this.regexes = regexes;
        this.fuel = fuel;
    }

    /** The language of what follows {@code value} in {@code regex}. */
    Regex of(Regex regex, int value) {
        fuel.burn(1);
        return switch (regex.kind) {
            case NOTHING, EMPTY -> Regex.NOTHING;
            case BYTES -> regex.set.contains(value) ? Regex.EMPTY : Regex.NOTHING;
            case LITERAL ->
                    (regex.literal[0] & 0xFF) == value
                            ? regexes.literal(
                                    Arrays.copyOfRange(regex.literal, 1, regex.literal.length))
                            : Regex.NOTHING;
            case CONCAT -> ofConcat(regex, value);
            case OR -> regexes.or(ofParts(regex, value));
            case AND -> ofAnd(regex, value);
            case NOT -> regex == Regex.ANYTHING ? regex : regexes.not(of(regex.part(), value));
            case REPEAT -> ofRepeat(regex, value);
            case MULTIPLE -> ofMultiple(regex, value);
            case SHORTEST -> regexes.shortest(of(regex.part(), value));
        };
    }

    private Regex ofMultiple(Regex regex, int value) {
        if (value == '.') {
            return regex;
        }
        return value >= '0' && value <= '9'
                ? regexes.multiple(regex.max, (int) ((10L * regex.min + value - '0') % regex.max))
                : Regex.NOTHING;
    }

    private Regex ofRepeat(Regex regex, int value) {
        Regex first = of(regex.part(), value);
        if (first == Regex.NOTHING) {
            return first;
        }
        int max = regex.max == Regexes.UNBOUNDED ? regex.max : regex.max - 1;
        return regexes.concat(first, regexes.repeat(regex.part(), Math.max(regex.min - 1, 0), max));
    }

    /** A loop over the spine: a chain of optional parts is as deep as it is long. */
    private Regex ofConcat(Regex regex, int value) {
        Regex rest = regex;
        @Nullable List<Regex> alternatives = null;
        while (true) {
            boolean isLast = rest.kind != Kind.CONCAT;
            Regex first = isLast ? of(rest, value) : of(rest.parts[0], value);
            Regex whole = isLast ? first : regexes.concat(first, rest.parts[1]);
            if (isLast || !rest.parts[0].isNullable) {
                if (alternatives == null) {
                    return whole;
                }
                alternatives.add(whole);
                return regexes.or(alternatives);
            }
            if (alternatives == null) {
                alternatives = new ArrayList<>();
            }
            alternatives.add(whole);
            rest = rest.parts[1];
        }
    }

    private List<Regex> ofParts(Regex regex, int value) {
        var parts = new ArrayList<Regex>();
        for (Regex part : regex.parts) {
            Regex derived = of(part, value);
            if (derived != Regex.NOTHING) {
                parts.add(derived);
            }
        }
        return parts;
    }

    private Regex ofAnd(Regex regex, int value) {
        var parts = new ArrayList<Regex>(regex.parts.length);
        for (Regex part : regex.parts) {
            Regex derived = of(part, value);
            if (derived == Regex.NOTHING) {
                return derived;
            }
            parts.add(derived);
        }
        return regexes.and(parts);
    }

    /** Bytes with the same derivative as {@code value}: those of {@code within}, or fewer. */
    ByteSet sameAs(Regex regex, int value, ByteSet within) {
        return switch (regex.kind) {
            case NOTHING, EMPTY -> within;
            case BYTES -> within.and(regex.set.contains(value) ? regex.set : regex.set.not());
            case LITERAL -> {
                ByteSet first = ByteSet.of(regex.literal[0] & 0xFF);
                yield within.and(first.contains(value) ? first : first.not());
            }
            case CONCAT -> {
                Regex rest = regex;
                ByteSet same = within;
                while (rest.kind == Kind.CONCAT) {
                    same = sameAs(rest.parts[0], value, same);
                    if (!rest.parts[0].isNullable) {
                        yield same;
                    }
                    rest = rest.parts[1];
                }
                yield sameAs(rest, value, same);
            }
            case MULTIPLE -> {
                boolean isAlone = value == '.' || value >= '0' && value <= '9';
                yield within.and(isAlone ? ByteSet.of(value) : COUNTED.not());
            }
            case OR, AND, NOT, REPEAT, SHORTEST -> {
                ByteSet same = within;
                for (Regex part : regex.parts) {
                    same = sameAs(part, value, same);
                }
                yield same;
            }
        };
    }

    private record Beginning(byte[] bytes, Regex rest) {}

    private static void extend(byte[] bytes, ByteSet same, Regex rest, ArrayDeque<Beginning> open) {
        for (int value = same.next(0); value < 256; value = same.next(value + 1)) {
            byte[] longer = Arrays.copyOf(bytes, bytes.length + 1);
            longer[bytes.length] = (byte) value;
            open.add(new Beginning(longer, rest));
        }
    }

    /** The strings of a language; null if there are more than {@code limit}, or long ones. */
    @Nullable List<byte[]> all(Regex regex, int limit) {
        var found = new ArrayList<byte[]>();
        var open = new ArrayDeque<Beginning>();
        if (!isEmpty(regex)) {
            open.add(new Beginning(new byte[0], regex));
        }
        while (!open.isEmpty()) {
            Beginning beginning = open.poll();
            if (beginning.rest.isNullable) {
                found.add(beginning.bytes);
            }
            ByteSet left = ByteSet.ALL;
            for (int value = 0; value < 256; value = left.next(value)) {
                ByteSet same = sameAs(beginning.rest, value, left);
                left = left.and(same.not());
                Regex rest = of(beginning.rest, value);
                if (!isEmpty(rest)) {
                    extend(beginning.bytes, same, rest, open);
                }
                // Each beginning that is left stands for another string at least.
                if (found.size() + open.size() > limit || beginning.bytes.length == MAX_LENGTH) {
                    return null;
                }
            }
        }
        return found;
    }

    /**
     * Whether no string matches: read off the structure without complements and intersections, else
     * by a search for a derivative that matches the empty string.
     */
    boolean isEmpty(Regex regex) {
        if (regex.inhabited == Inhabited.UNKNOWN) {
            decide(regex);
        }
        return regex.inhabited == Inhabited.NO;
    }

    private void decide(Regex regex) {
        switch (regex.kind) {
            case CONCAT -> {
                Regex rest = regex;
                while (rest.kind == Kind.CONCAT && !isEmpty(rest.parts[0])) {
                    rest = rest.parts[1];
                }
                regex.inhabited = Inhabited.of(rest.kind != Kind.CONCAT && !isEmpty(rest));
            }
            case OR -> regex.inhabited = Inhabited.of(holdsSome(regex.parts));
            case REPEAT, SHORTEST -> regex.inhabited = Inhabited.of(!isEmpty(regex.part()));
            case AND -> {
                if (!decideUnbounded(regex)) {
                    search(regex);
                }
            }
            case NOTHING, EMPTY, BYTES, LITERAL, NOT, MULTIPLE -> search(regex);
        }
    }

    private boolean holdsSome(Regex[] parts) {
        for (Regex part : parts) {
            if (!isEmpty(part)) {
                return true;
            }
        }
        return false;
    }

    /**
     * Tells whether an intersection has strings by those of the same without bounds on how often
     * something is repeated, which many counts have in common: none of it is none; one of few bytes
     * has no more copies. False where neither is known.
     */
    private boolean decideUnbounded(Regex regex) {
        var parts = new ArrayList<Regex>(regex.parts.length);
        int most = Regexes.UNBOUNDED;
        for (Regex part : regex.parts) {
            boolean is =
                    part.kind == Kind.REPEAT
                            && part.max != Regexes.UNBOUNDED
                            && part.max - part.min >= MANY
                            && !part.part().isNullable;
            parts.add(is ? regexes.repeat(part.part(), part.min, Regexes.UNBOUNDED) : part);
            most = is ? Math.min(most, part.max) : most;
        }
        if (most == Regexes.UNBOUNDED) {
            return false;
        }
        Regex more = regexes.and(parts);
        if (isEmpty(more)) {
            regex.inhabited = Inhabited.NO;
            return true;
        }
        if (more.shortest < 0 || more.shortest > most) {
            return false;
        }
        regex.shortest = more.shortest;
        regex.inhabited = Inhabited.YES;
        return true;
    }

    /** What is left after {@code depth} bytes; first where the least may make a whole string. */
    private record Reached(Regex rest, int depth) implements Comparable<Reached> {
        @Override
        public int compareTo(Reached that) {
            long least = (long) depth + rest.minLength;
            int byLeast = Long.compare(least, (long) that.depth + that.rest.minLength);
            int byDepth = byLeast != 0 ? byLeast : Integer.compare(that.depth, depth);
            return byDepth != 0 ? byDepth : Integer.compare(rest.id, that.rest.id);
        }
    }

    private void search(Regex start) {
        Map<Regex, Regex> cameFrom = new HashMap<>();
        var open = new PriorityQueue<Reached>();
        open.add(new Reached(start, 0));
        cameFrom.put(start, start);
        while (!open.isEmpty()) {
            Reached reached = open.poll();
            Regex regex = reached.rest;
            ByteSet left = ByteSet.ALL;
            for (int value = 0; value < 256; value = left.next(value)) {
                left = left.and(sameAs(regex, value, ByteSet.ALL).not());
                Regex next = of(regex, value);
                if (next.inhabited == Inhabited.YES) {
                    markInhabited(regex, next.shortest, cameFrom);
                    return;
                }
                if (next.inhabited == Inhabited.UNKNOWN
                        && cameFrom.putIfAbsent(next, regex) == null) {
                    open.add(new Reached(next, reached.depth + 1));
                }
            }
        }
        for (Regex regex : cameFrom.keySet()) {
            regex.inhabited = Inhabited.NO;
        }
    }

    /**
     * @param shortest of what follows a byte after {@code last}
     */
    private static void markInhabited(Regex last, int shortest, Map<Regex, Regex> cameFrom) {
        Regex regex = last;
        int bytes = shortest;
        while (regex.inhabited != Inhabited.YES) {
            bytes = bytes < 0 ? bytes : bytes + 1;
            regex.shortest = bytes;
            regex.inhabited = Inhabited.YES;
            Regex before = cameFrom.get(regex);
            regex = before == null ? regex : before;
        }
    }
}
