package io.cortado.constrain;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** A list of byte strings as a regex in the shape of a prefix tree: derivatives stay small. */
final class ChoiceTree {
    private final Regexes regexes;
    private final byte[][] sorted;

    private ChoiceTree(Regexes regexes, byte[][] sorted) {
        this.regexes = regexes;
        this.sorted = sorted;
    }

    static Regex regex(Regexes regexes, List<byte[]> choices) {
        byte[][] sorted = choices.toArray(new byte[0][]);
        Arrays.sort(sorted, Arrays::compareUnsigned);
        return new ChoiceTree(regexes, sorted).range(0, sorted.length, 0);
    }

    /** Those from {@code from} to before {@code to}, which agree in their first {@code depth}. */
    private Regex range(int from, int to, int depth) {
        if (from == to) {
            return Regex.NOTHING;
        }
        byte[] first = sorted[from];
        byte[] last = sorted[to - 1];
        int limit = Math.min(first.length, last.length);
        int common = depth;
        while (common < limit && first[common] == last[common]) {
            common++;
        }
        Regex prefix = regexes.literal(Arrays.copyOfRange(first, depth, common));
        var parts = new ArrayList<Regex>();
        int next = from;
        while (next < to && sorted[next].length == common) {
            next++;
        }
        if (next > from) {
            parts.add(Regex.EMPTY);
        }
        while (next < to) {
            int end = endOfGroup(next, to, common);
            parts.add(range(next, end, common));
            next = end;
        }
        return regexes.concat(prefix, regexes.or(parts));
    }

    private int endOfGroup(int from, int to, int depth) {
        int end = from + 1;
        while (end < to && sorted[end][depth] == sorted[from][depth]) {
            end++;
        }
        return end;
    }
}
