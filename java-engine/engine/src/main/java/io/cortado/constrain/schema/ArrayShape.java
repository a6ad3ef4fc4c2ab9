package io.cortado.constrain.schema;

import io.cortado.constrain.GrammarException;
import io.cortado.constrain.GrammarException.Reason;
import io.cortado.constrain.schema.Atom.AllItems;
import io.cortado.constrain.schema.Atom.Contains;
import io.cortado.constrain.schema.Atom.ItemCount;
import io.cortado.constrain.schema.Atom.SomeItem;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/**
 * Arrays of one kind: what the items at each index satisfy, how many there are, how many of them
 * are such, and what some item must be. Equal only to itself.
 */
final class ArrayShape {
    /**
     * How far an array has come.
     *
     * @param index of the next item; where it makes no difference any more, the least such
     * @param counts of the items that were such, by counter, alike
     * @param pending the witnesses that are still missing, as bits
     */
    record Progress(int index, List<Integer> counts, int pending) {}

    /** What the next item may be, and how far the array is after it. */
    record Step(Formula item, Progress after) {}

    private static final int MAX_CONDITIONS = 10;
    private static final int MAX_SEARCH = 20_000;

    /** So many items ahead are looked at for whether they can all differ. */
    private static final int MAX_DISTINCT = 32;

    final int min;
    final int max;
    final boolean isUnique;
    private final Shapes shapes;
    private final TreeMap<Integer, Formula> items;
    private final List<Contains> counters;
    private final List<SomeItem> witnesses;
    private final Map<Progress, Boolean> completable = new HashMap<>();

    /** From where on the index makes no difference but to the counts. */
    private final int lastIndex;

    private ArrayShape(
            int min,
            int max,
            boolean isUnique,
            TreeMap<Integer, Formula> items,
            List<Contains> counters,
            List<SomeItem> witnesses,
            Shapes shapes) {
        this.min = min;
        this.max = max;
        this.isUnique = isUnique;
        this.items = items;
        this.counters = List.copyOf(counters);
        this.witnesses = List.copyOf(witnesses);
        this.shapes = shapes;
        int last = Math.max(items.lastKey(), min);
        for (SomeItem witness : witnesses) {
            last = Math.max(last, witness.from());
            last = Math.max(last, witness.to() == Atom.UNBOUNDED ? 0 : witness.to());
        }
        lastIndex = last;
    }

    static ArrayShape of(Set<Formula> atoms, Shapes shapes) {
        int min = 0;
        int max = Atom.UNBOUNDED;
        boolean isUnique = false;
        List<AllItems> ranges = new ArrayList<>();
        List<Contains> counters = new ArrayList<>();
        List<SomeItem> witnesses = new ArrayList<>();
        for (Formula formula : atoms) {
            switch (formula.atom) {
                case ItemCount(int low, int high) -> {
                    min = Math.max(min, low);
                    max = Math.min(max, high);
                }
                case AllItems all -> ranges.add(all);
                case SomeItem one -> {
                    witnesses.add(one);
                    min = Math.max(min, one.from() + 1);
                }
                case Contains contains -> counters.add(contains);
                case Atom.UniqueItems unique -> isUnique = true;
                // Refused where a schema asks for it; in what is only compared, two may be equal.
                case Atom.RepeatedItem repeated -> min = Math.max(min, 2);
                case null, default -> throw new IllegalStateException("not of arrays: " + formula);
            }
        }
        if (counters.size() + witnesses.size() > MAX_CONDITIONS) {
            throw new GrammarException(
                    Reason.LIMIT,
                    "",
                    "too many statements about some items of an array: limit=" + MAX_CONDITIONS);
        }
        return new ArrayShape(
                min, max, isUnique, segments(ranges, shapes.formulas), counters, witnesses, shapes);
    }

    /** What items satisfy, by the index from which on they do. */
    private static TreeMap<Integer, Formula> segments(List<AllItems> ranges, Formulas formulas) {
        Map<Integer, List<Formula>> single = new HashMap<>();
        List<AllItems> wide = new ArrayList<>();
        var starts = new TreeMap<Integer, Formula>();
        starts.put(0, formulas.anything);
        for (AllItems range : ranges) {
            starts.put(range.from(), formulas.anything);
            if (range.to() < Atom.UNBOUNDED) {
                starts.put(range.to(), formulas.anything);
            }
            if (range.to() == range.from() + 1) {
                single.computeIfAbsent(range.from(), k -> new ArrayList<>()).add(range.value());
            } else {
                wide.add(range);
            }
        }
        for (var start : starts.entrySet()) {
            int index = start.getKey();
            List<Formula> parts = new ArrayList<>(single.getOrDefault(index, List.of()));
            for (AllItems range : wide) {
                if (range.from() <= index && index < range.to()) {
                    parts.add(range.value());
                }
            }
            start.setValue(formulas.and(parts));
        }
        return starts;
    }

    Progress start() {
        List<Integer> counts = new ArrayList<>();
        counters.forEach(counter -> counts.add(0));
        return new Progress(0, List.copyOf(counts), (1 << witnesses.size()) - 1);
    }

    boolean isPossible() {
        if (isUnique && min > 0) {
            List<Formula> all = new ArrayList<>(later(start()));
            all.addFirst(itemAt(0));
            if (!new Distinct(shapes, all).isPossible(Set.of())) {
                return false;
            }
        }
        return isCompletable(start());
    }

    private Formula itemAt(int index) {
        return items.floorEntry(index).getValue();
    }

    boolean isComplete(Progress progress) {
        if (progress.index < min || progress.index > max || progress.pending != 0) {
            return false;
        }
        for (int i = 0; i < counters.size(); i++) {
            if (progress.counts.get(i) < counters.get(i).min()) {
                return false;
            }
        }
        return true;
    }

    /** What may come next so that the array can still be ended. */
    List<Step> steps(Progress progress) {
        List<Step> steps = new ArrayList<>();
        for (Step step : possibleSteps(progress)) {
            if (isCompletable(step.after)) {
                steps.add(step);
            }
        }
        return steps;
    }

    boolean isCompletable(Progress progress) {
        if (progress.index > max) {
            return false;
        }
        if (counters.isEmpty() && witnesses.isEmpty()) {
            return canReach(progress.index);
        }
        Boolean known = completable.get(progress);
        if (known == null) {
            known = search(progress);
            // What was decided while something else was open may yet change.
            if (known || shapes.openness() == 0) {
                completable.put(progress, known);
            }
        }
        return known;
    }

    /** Whether all items up to the fewest can be there. */
    private boolean canReach(int index) {
        if (min > max) {
            return false;
        }
        if (index >= min) {
            return true;
        }
        Integer first = items.floorKey(index);
        for (var segment : items.subMap(first, true, min, false).entrySet()) {
            if (!shapes.isPossible(segment.getValue())) {
                return false;
            }
        }
        return true;
    }

    private boolean search(Progress from) {
        Set<Progress> seen = new HashSet<>();
        var open = new ArrayDeque<Progress>();
        open.push(from);
        seen.add(from);
        while (!open.isEmpty()) {
            Progress progress = open.pop();
            if (isComplete(progress)) {
                return true;
            }
            // The last is looked at first: those that count an item come last.
            for (Step step : possibleSteps(progress)) {
                if (seen.add(step.after)) {
                    open.push(step.after);
                }
            }
            if (seen.size() > MAX_SEARCH) {
                throw new GrammarException(
                        Reason.LIMIT,
                        "",
                        "the items of an array take more steps to plan than allowed: limit="
                                + MAX_SEARCH);
            }
        }
        return false;
    }

    private List<Step> possibleSteps(Progress progress) {
        List<Step> steps = new ArrayList<>();
        if (progress.index < max) {
            int next = progress.index + 1;
            if (max == Atom.UNBOUNDED) {
                next = Math.min(next, lastIndex + 1);
            }
            Formula item = itemAt(progress.index);
            addSteps(progress, item, 0, new Integer[counters.size()], next, steps);
        }
        return steps;
    }

    /** All ways to count the item or not, from {@code condition} on. */
    private void addSteps(
            Progress progress,
            Formula item,
            int condition,
            Integer[] counts,
            int next,
            List<Step> out) {
        if (!shapes.isPossible(item)) {
            return;
        }
        if (condition < counters.size()) {
            Contains counter = counters.get(condition);
            int count = progress.counts.get(condition);
            boolean isBounded = counter.max() < Atom.UNBOUNDED;
            Formula such = shapes.formulas.and(item, counter.value());
            Formula other =
                    isBounded
                            ? shapes.formulas.and(item, shapes.formulas.not(counter.value()))
                            : item;
            counts[condition] = count;
            addSteps(progress, other, condition + 1, counts, next, out);
            if (count < (isBounded ? counter.max() : counter.min())) {
                counts[condition] = count + 1;
                addSteps(progress, such, condition + 1, counts, next, out);
            }
            return;
        }
        addWitnesses(progress, item, 0, progress.pending, List.of(counts.clone()), next, out);
    }

    private void addWitnesses(
            Progress progress,
            Formula item,
            int index,
            int pending,
            List<Integer> counts,
            int next,
            List<Step> out) {
        if (!shapes.isPossible(item)) {
            return;
        }
        if (index == witnesses.size()) {
            out.add(new Step(item, new Progress(next, counts, pending)));
            return;
        }
        SomeItem witness = witnesses.get(index);
        addWitnesses(progress, item, index + 1, pending, counts, next, out);
        boolean isInRange = witness.from() <= progress.index && progress.index < witness.to();
        if (isInRange && (pending >> index & 1) != 0) {
            Formula such = shapes.formulas.and(item, witness.value());
            addWitnesses(progress, such, index + 1, pending & ~(1 << index), counts, next, out);
        }
    }

    /** What the items satisfy that must still come after the next one. */
    List<Formula> later(Progress progress) {
        List<Formula> later = new ArrayList<>();
        for (int index = progress.index + 1; index < min && later.size() < MAX_DISTINCT; index++) {
            later.add(itemAt(index));
        }
        return later;
    }
}
