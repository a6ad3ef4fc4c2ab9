package io.cortado.constrain.schema;

import io.cortado.constrain.Edges;
import io.cortado.constrain.Regex;
import io.cortado.constrain.RuleState;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;

/**
 * Within an object, after a whole property or at its start.
 *
 * @param used named keys that were written, or that can no longer come
 * @param present named keys that were written, where that is not the same
 * @param others the other keys that were written
 * @param count of properties; where it makes no difference any more, the least such
 * @param pending the witnesses that are still missing, as bits
 */
record ObjectState(
        ObjectShape shape,
        BitSet used,
        BitSet present,
        Set<String> others,
        int count,
        int pending,
        boolean isFirst)
        implements RuleState {
    static ObjectState start(ObjectShape shape) {
        return new ObjectState(
                shape, new BitSet(), new BitSet(), Set.of(), 0, shape.allWitnesses(), true);
    }

    /** Sets of named keys have a bit for each. */
    @Override
    public long sizeBytes() {
        return ((long) used.size() + present.size()) / Byte.SIZE;
    }

    @Override
    public void expand(Edges out) {
        Layout layout = shape.shapes.layout;
        if (isComplete()) {
            out.lexeme(isFirst ? layout.objectEnd : layout.laterObjectEnd, Values.End.STATE);
        }
        if (count < shape.max && isOrdered() && shape.needs.isEmpty()) {
            int key = used.nextClearBit(0);
            if (key < shape.keys.length) {
                out.skip(new Keys(this, key));
            }
            if (shape.required.nextSetBit(key) < 0) {
                for (int other = 0; other < shape.others.size(); other++) {
                    addOther(other, out);
                }
            }
        } else if (count < shape.max) {
            if (isOrdered()) {
                for (int key = used.nextClearBit(0);
                        key < shape.keys.length;
                        key = used.nextClearBit(key + 1)) {
                    addKey(key, out);
                    if (shape.required.get(key)) {
                        return;
                    }
                }
            } else {
                out.lexemes(shape.lexemes(isFirst), nextKeys(), this::afterKey);
            }
            for (int other = 0; other < shape.others.size(); other++) {
                addOther(other, out);
            }
        }
    }

    /**
     * The named keys from one on, in declared order: states that have come there by different keys
     * share them.
     */
    private record Keys(ObjectState before, int from) implements RuleState {
        private static final int CHUNK = 32;

        @Override
        public long sizeBytes() {
            return before.sizeBytes();
        }

        @Override
        public void expand(Edges out) {
            int to = Math.min(before.shape.keys.length, (from / CHUNK + 1) * CHUNK);
            for (int key = from; key < to; key++) {
                before.addKey(key, out);
                if (before.shape.required.get(key)) {
                    return;
                }
            }
            if (to < before.shape.keys.length) {
                out.skip(new Keys(before.without(to), to));
            }
        }
    }

    /** Where the named keys before {@code from} can no longer come. */
    private ObjectState without(int from) {
        var gone = new BitSet();
        gone.set(0, from);
        return new ObjectState(shape, gone, present, others, count, pending, isFirst);
    }

    private boolean isComplete() {
        BitSet written = isOrdered() ? present : used;
        return written.equals(shape.due(written))
                && count >= shape.min
                && count <= shape.max
                && pending == 0;
    }

    private boolean isOrdered() {
        return shape.shapes.layout.isDeclaredOrder;
    }

    /** The keys that may come next, where any order will do. */
    private BitSet nextKeys() {
        var keys = (BitSet) shape.possibleKeys().clone();
        keys.andNot(used);
        BitSet asked = (BitSet) keys.clone();
        if (shape.needs.isEmpty() && shape.max == Atom.UNBOUNDED && count + 1 >= shape.min) {
            // Any other key leaves what is missing as it was, and this state can be completed.
            asked.and(shape.witnessNames(pending));
        }
        for (int key = asked.nextSetBit(0); key >= 0; key = asked.nextSetBit(key + 1)) {
            if (completable(key).isEmpty()) {
                keys.clear(key);
            }
        }
        return keys;
    }

    /** What the next property may be taken to show, where any order will do. */
    private List<Claim> completable(int key) {
        BitSet after = usedAfter(key);
        List<Claim> claims = new ArrayList<>(1);
        for (Claim claim : claims(shape.values[key], key, true)) {
            if (isCompletable(after, present, claim.left)) {
                claims.add(claim);
            }
        }
        return claims;
    }

    private BitSet usedAfter(int key) {
        var after = (BitSet) used.clone();
        after.set(key);
        return after;
    }

    private RuleState afterKey(int key) {
        BitSet after = usedAfter(key);
        List<RuleState> states = new ArrayList<>(1);
        for (Claim claim : completable(key)) {
            var next =
                    new ObjectState(shape, after, present, others, nextCount(), claim.left, false);
            states.add(new Values.Then(claim.value, next, shape.shapes));
        }
        return states.size() == 1 ? states.getFirst() : new Choice(states);
    }

    /** The shape can be completed from its start, so without counts it can be from anywhere. */
    private boolean isCompletable(BitSet usedAfter, BitSet presentAfter, int left) {
        boolean isFree =
                left == 0
                        && shape.needs.isEmpty()
                        && shape.max == Atom.UNBOUNDED
                        && count + 1 >= shape.min;
        BitSet written = isOrdered() ? presentAfter : usedAfter;
        return isFree || shape.isCompletable(usedAfter, written, count + 1, left);
    }

    /** In declared order: those before the key can no longer come. */
    private void addKey(int key, Edges out) {
        var after = new BitSet();
        after.set(0, key + 1);
        BitSet presentAfter = presentAfter(key);
        for (Claim claim : claims(shape.values[key], key, true)) {
            if (isCompletable(after, presentAfter, claim.left)) {
                var next =
                        new ObjectState(
                                shape, after, presentAfter, others, nextCount(), claim.left, false);
                out.lexeme(
                        shape.lexemes(isFirst).at(key),
                        new Values.Then(claim.value, next, shape.shapes));
            }
        }
    }

    /** Where no key needs another, only the required ones count: all that lie before this key. */
    private BitSet presentAfter(int key) {
        var after = (BitSet) present.clone();
        if (shape.needs.isEmpty()) {
            after.or(shape.required);
            after.clear(key + 1, Math.max(key + 1, shape.keys.length));
        } else {
            after.set(key);
        }
        return after;
    }

    /** The key's text decides what may not come again, so it is captured. */
    private void addOther(int index, Edges out) {
        BitSet after = used;
        if (isOrdered()) {
            after = new BitSet();
            after.set(0, shape.keys.length);
        }
        BitSet usedAfter = after;
        List<Claim> claims = new ArrayList<>();
        for (Claim claim : claims(shape.others.get(index).value(), index, false)) {
            if (isCompletable(usedAfter, present, claim.left)) {
                claims.add(claim);
            }
        }
        if (claims.isEmpty()) {
            return;
        }
        var key = new Key(shape.otherLexeme(index, isFirst, others));
        out.captureAlike(key, bytes -> new Choice(next(claims, usedAfter, keyOf(bytes))));
    }

    private List<RuleState> next(List<Claim> claims, BitSet usedAfter, String key) {
        Set<String> more = new TreeSet<>(others);
        more.add(key);
        List<RuleState> states = new ArrayList<>();
        for (Claim claim : claims) {
            var next =
                    new ObjectState(
                            shape, usedAfter, present, more, nextCount(), claim.left, false);
            states.add(new Values.Then(claim.value, next, shape.shapes));
        }
        return states;
    }

    private static String keyOf(byte[] bytes) {
        int from = 0;
        while (bytes[from] != '"') {
            from++;
        }
        int to = bytes.length - 1;
        while (bytes[to] != '"') {
            to--;
        }
        return Scalars.decoded(bytes, from + 1, to);
    }

    private int nextCount() {
        return shape.max == Atom.UNBOUNDED ? Math.min(count + 1, shape.min) : count + 1;
    }

    /** What a property is taken to show, and what is left to show. */
    private record Claim(Formula value, int left) {}

    private List<Claim> claims(Formula value, int index, boolean isNamed) {
        List<Claim> claims = new ArrayList<>();
        claims.add(new Claim(value, pending));
        for (int i = 0; i < shape.witnesses.size(); i++) {
            ObjectShape.Witness witness = shape.witnesses.get(i);
            BitSet places = isNamed ? witness.names() : witness.others();
            if ((pending >> i & 1) == 0 || !places.get(index)) {
                continue;
            }
            List<Claim> more = new ArrayList<>();
            for (Claim claim : claims) {
                Formula both = shape.shapes.formulas.and(claim.value, witness.value());
                more.add(new Claim(both, claim.left & ~(1 << i)));
            }
            claims.addAll(more);
        }
        claims.removeIf(claim -> !shape.shapes.isPossible(claim.value));
        return claims;
    }

    /** A key whose text matters. */
    private record Key(Regex lexeme) implements RuleState {
        @Override
        public void expand(Edges out) {
            out.lexeme(lexeme, Values.End.STATE);
        }
    }

    /** One of several states. */
    private record Choice(List<RuleState> states) implements RuleState {
        @Override
        public void expand(Edges out) {
            states.forEach(out::skip);
        }
    }
}
