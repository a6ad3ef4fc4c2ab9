package io.cortado.text;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;

/**
 * The code points in classes that no set of a pattern tells apart: what an automaton reads instead
 * of characters. After the last class comes the symbol for the end of the text.
 */
final class RegexAlphabet {
    private static final int BMP = 1 << 16;

    private final char[] classes = new char[BMP];
    private final int[] starts;
    private final char[] startClasses;
    private final List<BitSet> members = new ArrayList<>();
    private final Map<CodePointSet, Integer> indexes = new HashMap<>();
    private final int word;
    private final int newline;

    RegexAlphabet(List<CodePointSet> patternSets) {
        var sets = new ArrayList<>(patternSets);
        word = add(sets, UnicodeSets.WORD);
        newline = add(sets, UnicodeSets.NEWLINE);
        for (int i = 0; i < sets.size(); i++) {
            indexes.putIfAbsent(sets.get(i), i);
        }
        var cuts = new TreeSet<Integer>();
        cuts.add(0);
        for (CodePointSet set : sets) {
            for (int bound : set.bounds()) {
                cuts.add(bound);
            }
        }
        cuts.remove(CodePointSet.END);
        starts = cuts.stream().mapToInt(Integer::intValue).toArray();
        startClasses = new char[starts.length];
        classify(sets);
    }

    private static int add(List<CodePointSet> sets, CodePointSet set) {
        sets.add(set);
        return sets.size() - 1;
    }

    private void classify(List<CodePointSet> sets) {
        var known = new HashMap<BitSet, Integer>();
        for (int i = 0; i < starts.length; i++) {
            var memberOf = new BitSet();
            for (int s = 0; s < sets.size(); s++) {
                memberOf.set(s, sets.get(s).contains(starts[i]));
            }
            Integer symbol = known.putIfAbsent(memberOf, members.size());
            if (symbol == null) {
                symbol = members.size();
                members.add(memberOf);
            }
            startClasses[i] = (char) symbol.intValue();
            int end = i + 1 < starts.length ? starts[i + 1] : CodePointSet.END;
            if (starts[i] < BMP) {
                Arrays.fill(classes, starts[i], Math.min(end, BMP), startClasses[i]);
            }
        }
    }

    /** How many symbols there are, the end of the text being the last. */
    int size() {
        return members.size() + 1;
    }

    int end() {
        return members.size();
    }

    /** The symbol of the character at {@code i}, or the end's where the text ends at {@code to}. */
    int symbol(String text, int i, int to) {
        if (i >= to) {
            return end();
        }
        char c = text.charAt(i);
        if (Character.isHighSurrogate(c)
                && i + 1 < to
                && Character.isLowSurrogate(text.charAt(i + 1))) {
            return supplementary(Character.toCodePoint(c, text.charAt(i + 1)));
        }
        return classes[c];
    }

    private int supplementary(int codePoint) {
        int found = Arrays.binarySearch(starts, codePoint);
        return startClasses[found >= 0 ? found : -found - 2];
    }

    /** Whether the symbol's characters are in {@code set}, one of the pattern's. */
    boolean isIn(int symbol, CodePointSet set) {
        Integer index = indexes.get(set);
        return symbol < members.size() && index != null && members.get(symbol).get(index);
    }

    boolean isWord(int symbol) {
        return symbol < members.size() && members.get(symbol).get(word);
    }

    boolean isNewline(int symbol) {
        return symbol < members.size() && members.get(symbol).get(newline);
    }
}
