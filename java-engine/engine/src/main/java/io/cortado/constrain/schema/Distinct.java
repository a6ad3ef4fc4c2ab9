package io.cortado.constrain.schema;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Items that must all differ: whether each can have a value of its own, of few. */
final class Distinct {
    /** What was there before takes values away from those that seem to have enough. */
    private static final int FEW = 32;

    /** The values of each item that has fewer than there are items; the others always find one. */
    private final List<Set<Object>> scarce = new ArrayList<>();

    Distinct(Shapes shapes, List<Formula> items) {
        for (Formula item : items) {
            Set<Object> few = shapes.values(item, FEW + items.size());
            if (few != null) {
                scarce.add(few);
            }
        }
    }

    boolean isPossible(Set<Object> taken) {
        Map<Object, Integer> owners = new HashMap<>();
        for (int item = 0; item < scarce.size(); item++) {
            if (!assign(item, taken, owners, new HashSet<>())) {
                return false;
            }
        }
        return true;
    }

    /** An augmenting path of the matching of items and values. */
    private boolean assign(
            int item, Set<Object> taken, Map<Object, Integer> owners, Set<Object> visited) {
        for (Object value : scarce.get(item)) {
            if (!taken.contains(value) && visited.add(value)) {
                Integer owner = owners.get(value);
                if (owner == null || assign(owner, taken, owners, visited)) {
                    owners.put(value, item);
                    return true;
                }
            }
        }
        return false;
    }

    /** Values without any of which, {@code taken} aside, the items cannot all have one. */
    Set<Object> needed(Set<Object> taken) {
        Set<Object> candidates = new HashSet<>();
        scarce.forEach(candidates::addAll);
        candidates.removeAll(taken);
        Set<Object> needed = new HashSet<>();
        for (Object candidate : candidates) {
            Set<Object> more = new HashSet<>(taken);
            more.add(candidate);
            if (!isPossible(more)) {
                needed.add(candidate);
            }
        }
        return needed;
    }
}
