package io.cortado.constrain.schema;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Lists the values of formulas that have no more than a few. */
final class FewValues {
    /** What is looked at for one list; what takes longer counts as many. */
    private static final int MAX_STEPS = 5_000;

    private final Shapes shapes;
    private final int limit;
    private final Set<Formula> open = new HashSet<>();
    private int steps;

    FewValues(Shapes shapes, int limit) {
        this.shapes = shapes;
        this.limit = limit;
    }

    /** All values; null if there are more than the limit, or it would take long to tell. */
    @Nullable Set<Object> of(Formula formula) {
        Formula plain = shapes.formulas.read(formula);
        if (!open.add(plain)) {
            return null;
        }
        Set<Object> scalars = shapes.scalars.values(plain, limit);
        Set<Object> all = scalars == null ? null : withCompounds(plain, scalars);
        open.remove(plain);
        return all;
    }

    private @Nullable Set<Object> withCompounds(Formula formula, Set<Object> scalars) {
        Set<Object> all = new HashSet<>(scalars);
        for (ObjectShape shape : shapes.objects(formula)) {
            if (shape.isPossible() && !new Members(shape, all).add()) {
                return null;
            }
        }
        for (ArrayShape shape : shapes.arrays(formula)) {
            if (shape.isPossible() && !addArrays(shape, shape.start(), new ArrayList<>(), all)) {
                return null;
            }
        }
        return all.size() > limit ? null : all;
    }

    /** False if there are too many. */
    private boolean addArrays(
            ArrayShape shape, ArrayShape.Progress progress, List<Object> items, Set<Object> out) {
        if (shape.isComplete(progress)) {
            out.add(List.copyOf(items));
        }
        if (++steps > MAX_STEPS || out.size() > limit) {
            return false;
        }
        for (ArrayShape.Step step : shape.steps(progress)) {
            Set<Object> values = of(step.item());
            if (values == null) {
                return false;
            }
            for (Object value : values) {
                if (shape.isUnique && items.contains(value)) {
                    continue;
                }
                items.add(value);
                boolean isFew = addArrays(shape, step.after(), items, out);
                items.removeLast();
                if (!isFew) {
                    return false;
                }
            }
        }
        return true;
    }

    /** The objects of one shape: each key is left out, or has one of its values. */
    private final class Members {
        /** A key with its place among the named ones or among the classes of others. */
        private record Slot(String key, int index, boolean isNamed, Formula value) {}

        private final ObjectShape shape;
        private final Set<Object> out;
        private final List<Slot> slots = new ArrayList<>();
        private final Map<String, Object> members = new HashMap<>();
        private final BitSet present = new BitSet();

        Members(ObjectShape shape, Set<Object> out) {
            this.shape = shape;
            this.out = out;
        }

        /** False if there are too many. */
        boolean add() {
            for (int key = 0; key < shape.keys.length; key++) {
                if (shapes.isPossible(shape.values[key])) {
                    slots.add(new Slot(shape.keys[key], key, true, shape.values[key]));
                }
            }
            for (int i = 0; i < shape.others.size() && shape.max > 0; i++) {
                ObjectShape.Others others = shape.others.get(i);
                if (shapes.isPossible(others.value())) {
                    Set<String> keys = shapes.scalars.strings(others.body(), limit);
                    if (keys == null) {
                        return false;
                    }
                    for (String key : keys) {
                        slots.add(new Slot(key, i, false, others.value()));
                    }
                }
            }
            return add(0, shape.allWitnesses());
        }

        private boolean add(int from, int pending) {
            if (++steps > MAX_STEPS || out.size() > limit) {
                return false;
            }
            if (from == slots.size()) {
                int count = members.size();
                if (pending == 0 && count >= shape.min && present.equals(shape.due(present))) {
                    out.add(Map.copyOf(members));
                }
                return true;
            }
            if (!add(from + 1, pending)) {
                return false;
            }
            Slot slot = slots.get(from);
            return members.size() == shape.max || addWith(slot, slot.value, 0, pending, from + 1);
        }

        /** With the slot's key, taken to show any of the witnesses from one on. */
        private boolean addWith(Slot slot, Formula value, int witness, int pending, int next) {
            if (witness < shape.witnesses.size()) {
                ObjectShape.Witness one = shape.witnesses.get(witness);
                BitSet places = slot.isNamed ? one.names() : one.others();
                if ((pending >> witness & 1) != 0 && places.get(slot.index)) {
                    Formula both = shapes.formulas.and(value, one.value());
                    int left = pending & ~(1 << witness);
                    if (!addWith(slot, both, witness + 1, left, next)) {
                        return false;
                    }
                }
                return addWith(slot, value, witness + 1, pending, next);
            }
            Set<Object> values = of(value);
            if (values == null) {
                return false;
            }
            if (slot.isNamed) {
                present.set(slot.index);
            }
            boolean isFew = true;
            for (Object one : values) {
                members.put(slot.key, one);
                isFew = isFew && add(next, pending);
            }
            members.remove(slot.key);
            if (slot.isNamed) {
                present.clear(slot.index);
            }
            return isFew;
        }
    }
}
