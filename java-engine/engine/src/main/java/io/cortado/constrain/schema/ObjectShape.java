package io.cortado.constrain.schema;

import io.cortado.constrain.Lexemes;
import io.cortado.constrain.Regex;
import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Objects of one kind: keys with a name, and classes of others, each with what their values
 * satisfy; which keys must be there, how many properties there are, and what some property must be.
 * Equal only to itself.
 */
final class ObjectShape {
    /** Keys without a name of their own, more than a few. */
    record Others(Regex body, Formula value) {}

    /**
     * Some property must have one of these keys and such a value.
     *
     * @param names by their place in the shape
     * @param others alike
     */
    record Witness(BitSet names, BitSet others, Formula value) {}

    /** What is kept across outputs must not grow with them. */
    private static final int MAX_OTHER_LEXEMES = 64;

    final String[] keys;
    final Formula[] values;
    final BitSet required;

    /** By key, those that must be there where it is. */
    final Map<Integer, BitSet> needs;

    final List<Others> others;
    final List<Witness> witnesses;
    final int min;
    final int max;
    final Shapes shapes;
    private final Lexemes firstLexemes;
    private final Lexemes laterLexemes;

    private final Map<OtherKey, Regex> otherLexemes = new HashMap<>();

    /** The keys whose values may be written; null where not yet known. */
    private @Nullable BitSet possible;

    ObjectShape(
            String[] keys,
            Formula[] values,
            BitSet required,
            Map<Integer, BitSet> needs,
            List<Others> others,
            List<Witness> witnesses,
            int min,
            int max,
            Shapes shapes) {
        this.keys = keys;
        this.values = values;
        this.required = required;
        this.needs = Map.copyOf(needs);
        this.others = List.copyOf(others);
        this.witnesses = List.copyOf(witnesses);
        this.min = min;
        this.max = max;
        this.shapes = shapes;
        firstLexemes = new Lexemes(keys.length, key -> lexeme(key, true));
        laterLexemes = new Lexemes(keys.length, key -> lexeme(key, false));
    }

    boolean isPossible() {
        return isCompletable(new BitSet(), new BitSet(), 0, allWitnesses());
    }

    int allWitnesses() {
        return (1 << witnesses.size()) - 1;
    }

    /** By key, that with all that is written around it. */
    Lexemes lexemes(boolean isFirst) {
        return isFirst ? firstLexemes : laterLexemes;
    }

    private Regex lexeme(int key, boolean isFirst) {
        Layout layout = shapes.layout;
        var regexes = shapes.formulas.regexes;
        Regex body = shapes.formulas.text.literal(keys[key]);
        Regex lexeme = regexes.concat(List.of(layout.quote, body, layout.colon));
        return isFirst ? lexeme : regexes.concat(layout.comma, lexeme);
    }

    private record OtherKey(int index, boolean isFirst, Set<String> written) {}

    /** A key of a class of others, with all that is written around it; none of those written. */
    Regex otherLexeme(int index, boolean isFirst, Set<String> written) {
        if (otherLexemes.size() >= MAX_OTHER_LEXEMES) {
            otherLexemes.clear();
        }
        return otherLexemes.computeIfAbsent(
                new OtherKey(index, isFirst, written),
                unused -> {
                    var formulas = shapes.formulas;
                    Regex body = others.get(index).body();
                    if (!written.isEmpty()) {
                        Regex before = formulas.text.oneOf(written);
                        body = formulas.regexes.and(body, formulas.regexes.not(before));
                    }
                    Layout layout = shapes.layout;
                    Regex key = formulas.regexes.concat(List.of(layout.quote, body, layout.colon));
                    return isFirst ? key : formulas.regexes.concat(layout.comma, key);
                });
    }

    /** The named keys that may show what is still missing. */
    BitSet witnessNames(int pending) {
        var names = new BitSet();
        for (int i = 0; i < witnesses.size(); i++) {
            if ((pending >> i & 1) != 0) {
                names.or(witnesses.get(i).names);
            }
        }
        return names;
    }

    /**
     * The keys whose values may be written. Not to be changed, and not to be asked while shapes are
     * decided.
     */
    BitSet possibleKeys() {
        BitSet known = possible;
        if (known == null) {
            known = new BitSet();
            for (int key = 0; key < keys.length; key++) {
                known.set(key, shapes.isPossible(values[key]));
            }
            possible = known;
        }
        return known;
    }

    /** The keys that must be there where those are that are present, themselves among them. */
    BitSet due(BitSet present) {
        var due = (BitSet) required.clone();
        due.or(present);
        boolean grows = !needs.isEmpty();
        while (grows) {
            int before = due.cardinality();
            needs.forEach((key, needed) -> {
                if (due.get(key)) {
                    due.or(needed);
                }
            });
            grows = due.cardinality() > before;
        }
        return due;
    }

    /**
     * Whether an object can be ended from here.
     *
     * @param used keys that were written, or can no longer be
     * @param present those that were written
     * @param count of properties written
     * @param pending the witnesses that are still missing, as bits
     */
    boolean isCompletable(BitSet used, BitSet present, int count, int pending) {
        int needed = 0;
        BitSet due = due(present);
        for (int key = due.nextSetBit(0); key >= 0; key = due.nextSetBit(key + 1)) {
            if (!present.get(key)) {
                if (used.get(key) || !shapes.isPossible(values[key])) {
                    return false;
                }
                needed++;
            }
        }
        int more = pending == 0 ? 0 : missing(used, due, pending, new HashMap<>());
        if (more == Integer.MAX_VALUE || Math.max(min, (long) count + needed + more) > max) {
            return false;
        }
        return hasRoom(used, due, min - count - needed);
    }

    /** Whether so many properties can be written that are not required. */
    private boolean hasRoom(BitSet used, BitSet due, int wanted) {
        int left = wanted;
        if (left <= 0) {
            return true;
        }
        for (Others other : others) {
            if (shapes.isPossible(other.value)) {
                return true;
            }
        }
        for (int key = used.nextClearBit(0); key < keys.length; key = used.nextClearBit(key + 1)) {
            if (!due.get(key) && shapes.isPossible(values[key]) && --left == 0) {
                return true;
            }
        }
        return false;
    }

    /**
     * The fewest properties that the witnesses add to the required ones, where their number is
     * bounded; else how many they may add. MAX_VALUE for never.
     */
    private int missing(BitSet used, BitSet due, int pending, Map<Integer, Formula> chosen) {
        if (pending == 0) {
            return 0;
        }
        int index = Integer.numberOfTrailingZeros(pending);
        Witness witness = witnesses.get(index);
        int rest = pending & pending - 1;
        int best = Integer.MAX_VALUE;
        int enough = max == Atom.UNBOUNDED ? Integer.MAX_VALUE - 1 : 0;
        for (int key = witness.names.nextSetBit(0);
                key >= 0 && best > enough;
                key = witness.names.nextSetBit(key + 1)) {
            BitSet dueThen = dueWith(key, due);
            int cost = used.get(key) ? Integer.MAX_VALUE : added(used, due, dueThen, chosen);
            if (cost < Integer.MAX_VALUE) {
                Formula value = chosen.getOrDefault(key, values[key]);
                best = Math.min(best, with(used, dueThen, rest, chosen, key, value, witness, cost));
            }
        }
        for (int other = witness.others.nextSetBit(0);
                other >= 0 && best > enough;
                other = witness.others.nextSetBit(other + 1)) {
            // A property that another witness added may serve, or a new one.
            for (int slot = keys.length + other; ; slot += others.size()) {
                boolean isNew = !chosen.containsKey(slot);
                Formula value = chosen.getOrDefault(slot, others.get(other).value);
                best =
                        Math.min(
                                best,
                                with(used, due, rest, chosen, slot, value, witness, isNew ? 1 : 0));
                if (isNew) {
                    break;
                }
            }
        }
        return best;
    }

    /** What must be there where a key is as well, and what that key needs. */
    private BitSet dueWith(int key, BitSet due) {
        if (due.get(key)) {
            return due;
        }
        var present = (BitSet) due.clone();
        present.set(key);
        return due(present);
    }

    /** How many properties become due; MAX_VALUE where one of them cannot be written. */
    private int added(BitSet used, BitSet due, BitSet then, Map<Integer, Formula> chosen) {
        int added = 0;
        for (int key = then.nextSetBit(0); key >= 0; key = then.nextSetBit(key + 1)) {
            if (due.get(key)) {
                continue;
            }
            if (used.get(key) || !shapes.isPossible(values[key])) {
                return Integer.MAX_VALUE;
            }
            added += chosen.containsKey(key) ? 0 : 1;
        }
        return added;
    }

    private int with(
            BitSet used,
            BitSet due,
            int rest,
            Map<Integer, Formula> chosen,
            int slot,
            Formula value,
            Witness witness,
            int cost) {
        Formula both = shapes.formulas.and(value, witness.value);
        if (!shapes.isPossible(both)) {
            return Integer.MAX_VALUE;
        }
        Formula before = chosen.put(slot, both);
        int more = missing(used, due, rest, chosen);
        if (before == null) {
            chosen.remove(slot);
        } else {
            chosen.put(slot, before);
        }
        return more == Integer.MAX_VALUE ? more : more + cost;
    }
}
