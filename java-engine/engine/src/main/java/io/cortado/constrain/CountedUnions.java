package io.cortado.constrain;

import io.cortado.constrain.Regex.Kind;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Unites {@code pr{1,3}t} and {@code pr{2,5}t} as {@code pr{1,5}t}: without it the derivatives of a
 * counted repetition whose part can match in two ways are unions of as many counts as it has.
 */
final class CountedUnions {
    private static final int MAX_PREFIX = 3;

    private record Shape(List<Regex> prefix, Regex counted, Regex tail) {}

    private record Counted(Shape shape, int min, int max) {}

    private CountedUnions() {}

    /** Replaces parts that only differ in a count; whether it did. */
    static boolean merge(Regexes regexes, List<Regex> parts) {
        if (parts.size() < 2) {
            return false;
        }
        Map<Shape, List<Integer>> places = new HashMap<>();
        var counted = new ArrayList<@Nullable Counted>(parts.size());
        for (int i = 0; i < parts.size(); i++) {
            Counted part = counted(parts.get(i));
            counted.add(part);
            if (part != null) {
                places.computeIfAbsent(part.shape(), unused -> new ArrayList<>()).add(i);
            }
        }
        boolean merged = false;
        for (List<Integer> same : places.values()) {
            for (int a = 0; a + 1 < same.size(); a++) {
                merged |= mergeNext(regexes, parts, counted, same.get(a), same.get(a + 1));
            }
        }
        return merged;
    }

    /** Unites two parts in the second's place where their counts touch. */
    private static boolean mergeNext(
            Regexes regexes,
            List<Regex> parts,
            List<@Nullable Counted> counted,
            int first,
            int second) {
        Counted a = counted.get(first);
        Counted b = counted.get(second);
        if (a == null || b == null || (long) a.max + 1 < b.min || (long) b.max + 1 < a.min) {
            return false;
        }
        int min = Math.min(a.min, b.min);
        int max = Math.max(a.max, b.max);
        Regex united = regexes.concat(regexes.repeat(a.shape.counted, min, max), a.shape.tail);
        for (int i = a.shape.prefix.size() - 1; i >= 0; i--) {
            united = regexes.concat(a.shape.prefix.get(i), united);
        }
        counted.set(second, new Counted(a.shape, min, max));
        parts.set(second, united);
        parts.set(first, Regex.NOTHING);
        return true;
    }

    private static @Nullable Counted counted(Regex part) {
        var prefix = new ArrayList<Regex>(0);
        Regex rest = part;
        while (rest.kind == Kind.CONCAT
                && rest.parts[0].kind != Kind.REPEAT
                && prefix.size() < MAX_PREFIX) {
            prefix.add(rest.parts[0]);
            rest = rest.parts[1];
        }
        Regex head = rest.kind == Kind.CONCAT ? rest.parts[0] : rest;
        if (head.kind != Kind.REPEAT) {
            return null;
        }
        Regex tail = rest.kind == Kind.CONCAT ? rest.parts[1] : Regex.EMPTY;
        return new Counted(new Shape(prefix, head.part(), tail), head.min, head.max);
    }
}
