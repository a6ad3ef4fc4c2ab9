package io.cortado.constrain;

import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Computes the masks of rests alone, by slices where they are proven and by walks over tries where
 * not. Scratch memory of one thread at a time.
 */
final class PartMasks {
    /** Fewer nodes are visited again rather than kept for other grammars. */
    private static final int MIN_VISITS = 1_000;

    private static final int SPILLED = Integer.MAX_VALUE;

    private final Automaton automaton;
    private final TokenTable vocabulary;
    private final Visits visits;

    /** The first tokens as a list; above its length all are bits. */
    private final int[] ids = new int[TokenMask.MAX_LIST];

    private int numIds;
    private final int[] bits;

    /** Where the lexeme ended within tokens. */
    private int numExits;

    private int[] exitTries = new int[16];
    private int[] exitNodes = new int[16];

    PartMasks(Automaton automaton, Visits visits) {
        this.automaton = automaton;
        this.visits = visits;
        vocabulary = automaton.vocabulary();
        bits = new int[vocabulary.words()];
    }

    LexMask mask(Space space, LexState part, Fuel fuel) {
        LexMask known = part.mask;
        if (known != null) {
            return known;
        }
        LexState shared = automaton.shared(space, part, TokenTable.ALL, fuel);
        LexMask mask = shared == part ? common(space, part, fuel) : mask(space, shared, fuel);
        automaton.keep(part, mask);
        return mask;
    }

    /** Masks that took work are kept for other grammars too. */
    private LexMask common(Space space, LexState part, Fuel fuel) {
        Regex rest = part.rests[0];
        Regex head = rest.kind == Regex.Kind.CONCAT ? rest.parts[0] : rest;
        boolean isCheap = head.kind == Regex.Kind.LITERAL || head.kind == Regex.Kind.BYTES;
        LexMask known = isCheap ? null : vocabulary.commonMasks().get(rest);
        if (known != null) {
            return known;
        }
        long before = visits.count();
        LexMask mask = computed(space, part, fuel);
        if (!isCheap && visits.count() - before > MIN_VISITS) {
            vocabulary.commonMasks().put(rest, mask);
        }
        return mask;
    }

    private LexMask computed(Space space, LexState part, Fuel fuel) {
        int @Nullable [] reaches = reaches(space, part, fuel);
        if (reaches == null) {
            begin();
            note(space, TokenTable.ALL, part, fuel);
            return noted();
        }
        LexState more = automaton.unrestricted(space, part, fuel);
        if (more != null && Arrays.equals(reaches, reaches(space, more, fuel))) {
            boolean isAllProven = true;
            for (int reach : reaches) {
                isAllProven &= reach != SliceProofs.UNKNOWN;
            }
            if (isAllProven) {
                return less(space, mask(space, more, fuel), more, part, fuel);
            }
        }
        return bySlices(space, part, reaches, fuel);
    }

    /** By slice, how many of its characters may follow; null where none is known to admit any. */
    private int @Nullable [] reaches(Space space, LexState part, Fuel fuel) {
        List<Slice> slices = vocabulary.slices();
        var reaches = new int[slices.size()];
        boolean takesSlices = false;
        for (int i = 0; i < reaches.length; i++) {
            Slice slice = slices.get(i);
            boolean mayReach =
                    goesOn(space, part, slice.lowAscii(), fuel)
                            && goesOn(space, part, slice.highAscii(), fuel);
            reaches[i] = mayReach ? automaton.reach(space, part, i, fuel) : SliceProofs.UNKNOWN;
            takesSlices |= reaches[i] > 0;
        }
        return takesSlices ? reaches : null;
    }

    private boolean goesOn(Space space, LexState part, int value, Fuel fuel) {
        return value < 0 || automaton.next(space, part, value, fuel) != LexState.DEAD;
    }

    private LexMask bySlices(Space space, LexState part, int[] reaches, Fuel fuel) {
        LexMask shorts = shortMask(space, part, fuel);
        LexState forLongs = automaton.shared(space, part, TokenTable.LONG_REST, fuel);
        LexMask longs = forLongs == part ? null : longMask(space, forLongs, fuel);
        begin();
        if (longs == null) {
            note(space, TokenTable.LONG_REST, part, fuel);
        }
        for (int i = 0; i < reaches.length; i++) {
            if (reaches[i] == SliceProofs.UNKNOWN) {
                note(space, i, automaton.shared(space, part, i, fuel), fuel);
            }
        }
        spill();
        for (int i = 0; i < reaches.length; i++) {
            if (reaches[i] != SliceProofs.UNKNOWN) {
                vocabulary.slices().get(i).orInto(reaches[i], bits);
            }
        }
        addRest(TokenTable.SHORT_REST, shorts);
        if (longs != null) {
            addRest(TokenTable.LONG_REST, longs);
        }
        return noted();
    }

    private void addRest(int trie, LexMask mask) {
        mask.mask().orInto(bits);
        for (int node : mask.exitNodes()) {
            noteExit(trie, node);
        }
    }

    /** Of the longer tokens in no slice, from a state that some share. */
    private LexMask longMask(Space space, LexState shared, Fuel fuel) {
        LexMask known = shared.longMask;
        if (known != null) {
            return known;
        }
        begin();
        note(space, TokenTable.LONG_REST, shared, fuel);
        LexMask mask = noted();
        automaton.keepLong(shared, mask);
        return mask;
    }

    /** Of the short tokens in no slice: the same for many counts. */
    private LexMask shortMask(Space space, LexState part, Fuel fuel) {
        LexState shared = automaton.shared(space, part, TokenTable.SHORT_REST, fuel);
        LexMask known = shared.shortMask;
        if (known != null) {
            return known;
        }
        begin();
        note(space, TokenTable.SHORT_REST, shared, fuel);
        LexMask mask = noted();
        automaton.keepShort(shared, mask);
        return mask;
    }

    /**
     * The mask of a rest from that of a larger one, which differ only in tokens of no slice: where
     * both come to the same state, what follows is the same.
     */
    private LexMask less(Space space, LexMask all, LexState more, LexState part, Fuel fuel) {
        begin();
        spill();
        all.mask().orInto(bits);
        for (int i = 0; i < all.exitNodes().length; i++) {
            noteExit(all.exitTries()[i], all.exitNodes()[i]);
        }
        take(space, TokenTable.SHORT_REST, 0, more, part, fuel);
        take(space, TokenTable.LONG_REST, 0, more, part, fuel);
        return noted();
    }

    /** Takes away what {@code more} goes through below a node and {@code part} does not. */
    private void take(
            Space space, int trieNumber, int above, LexState more, LexState part, Fuel fuel) {
        TokenTrie trie = vocabulary.trie(trieNumber);
        int end = trie.first[above + 1];
        visits.add(end - trie.first[above]);
        for (int node = trie.first[above]; node < end; node++) {
            int value = trie.value[node] & 0xFF;
            LexState had = automaton.next(space, more, value, fuel);
            LexState has =
                    part.continues ? automaton.next(space, part, value, fuel) : LexState.DEAD;
            if (had == has) {
                continue;
            }
            if (has == LexState.DEAD && trie.token[node] != TokenTrie.NONE) {
                trie.clear(node, bits);
            }
            if (trie.hasChildren(node)) {
                if (had.accepts != AcceptSet.NONE && has.accepts == AcceptSet.NONE) {
                    removeExit(trieNumber, node);
                }
                if (had.continues) {
                    take(space, trieNumber, node, had, has, fuel);
                }
            }
        }
    }

    private void removeExit(int trie, int node) {
        for (int i = 0; i < numExits; i++) {
            if (exitTries[i] == trie && exitNodes[i] == node) {
                exitTries[i] = exitTries[--numExits];
                exitNodes[i] = exitNodes[numExits];
                return;
            }
        }
    }

    private void begin() {
        numExits = 0;
        numIds = 0;
    }

    private LexMask noted() {
        return new LexMask(
                numIds <= ids.length ? TokenMask.of(ids, numIds) : TokenMask.of(bits),
                Arrays.copyOf(exitTries, numExits),
                Arrays.copyOf(exitNodes, numExits));
    }

    private void note(Space space, int trieNumber, LexState part, Fuel fuel) {
        TokenTrie trie = vocabulary.trie(trieNumber);
        Regex rest = part.rests[0];
        Regex head = rest.kind == Regex.Kind.CONCAT ? rest.parts[0] : rest;
        if (head.kind == Regex.Kind.LITERAL) {
            noteLiteral(space, trie, trieNumber, head.literal, rest, fuel);
        } else {
            note(space, trie, trieNumber, 0, part, fuel);
        }
    }

    /** As {@link #note}, along the one path of a literal, without a state for each of its bytes. */
    private void noteLiteral(
            Space space, TokenTrie trie, int trieNumber, byte[] literal, Regex rest, Fuel fuel) {
        int node = 0;
        for (byte value : literal) {
            visits.add(1);
            node = trie.child(node, value);
            if (node == TokenTrie.NONE) {
                return;
            }
            if (trie.token[node] != TokenTrie.NONE) {
                markPart(trie, node);
            }
        }
        if (!trie.hasChildren(node)) {
            return;
        }
        Regex tail = rest.kind == Regex.Kind.CONCAT ? rest.parts[1] : Regex.EMPTY;
        if (tail.isNullable) {
            noteExit(trieNumber, node);
        }
        if (tail != Regex.EMPTY) {
            note(space, trie, trieNumber, node, automaton.alone(space, tail), fuel);
        }
    }

    /** Marks the tokens below {@code above} that the part goes through, and notes its ends. */
    private void note(
            Space space, TokenTrie trie, int trieNumber, int above, LexState before, Fuel fuel) {
        int end = trie.first[above + 1];
        visits.add(end - trie.first[above]);
        for (int node = trie.first[above]; node < end; node++) {
            LexState state = automaton.next(space, before, trie.value[node] & 0xFF, fuel);
            if (state == LexState.DEAD) {
                continue;
            }
            if (trie.token[node] != TokenTrie.NONE) {
                markPart(trie, node);
            }
            if (trie.hasChildren(node)) {
                if (state.accepts != AcceptSet.NONE) {
                    noteExit(trieNumber, node);
                }
                if (state.continues) {
                    note(space, trie, trieNumber, node, state, fuel);
                }
            }
        }
    }

    /** Keeps a few tokens as a list, which spares clearing and counting bits. */
    private void markPart(TokenTrie trie, int node) {
        if (numIds < ids.length && !trie.hasTwins()) {
            ids[numIds++] = trie.token[node];
            return;
        }
        spill();
        trie.mark(node, bits);
    }

    private void spill() {
        if (numIds <= ids.length) {
            Arrays.fill(bits, 0);
            for (int i = 0; i < numIds; i++) {
                bits[ids[i] >> 5] |= 1 << ids[i];
            }
            numIds = SPILLED;
        }
    }

    private void noteExit(int trieNumber, int node) {
        if (numExits == exitNodes.length) {
            exitTries = Arrays.copyOf(exitTries, 2 * numExits);
            exitNodes = Arrays.copyOf(exitNodes, 2 * numExits);
        }
        exitTries[numExits] = trieNumber;
        exitNodes[numExits++] = node;
    }
}
