package io.cortado.constrain;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/**
 * An Earley set named by its content: what rules are open, and which lexemes may come. An item's
 * origin is the row in which its rule was called, so a row carries its whole stack, and equal
 * stacks are one row wherever they occur.
 */
final class Row {
    /**
     * A state within a run of {@code rule} that began in {@code origin}.
     *
     * @param origin null is the row that holds the item
     */
    record Item(StateNode state, StateNode rule, @Nullable Row origin) {}

    /**
     * What goes on once a called rule has ended: at {@code next}, or where {@code capture} says.
     */
    record Waiter(
            @Nullable StateNode next,
            StateNode.@Nullable CaptureEdge capture,
            StateNode rule,
            @Nullable Row origin) {}

    /** Many lexemes that may come, and the item whose edge says where each leads. */
    record Scan(StateNode.LexemesEdge edge, StateNode rule, @Nullable Row origin) {}

    record TokenTarget(TokenSet tokens, Item target) {}

    /** Kernel and inherited tape: what a row is. */
    record Key(Set<Item> kernel, @Nullable Tape inherited) {}

    final int id;
    final Key key;

    /** What goes on after a rule that is called here. */
    final Map<StateNode, List<Waiter>> waiters = new HashMap<>();

    /** Where each lexeme leads. */
    final Map<Regex, List<Item>> scans = new HashMap<>();

    /** As {@link #scans}, of many lexemes each. */
    final List<Scan> manyScans = new ArrayList<>(0);

    /** Where the output may stand after a set of lexemes ended here; unused while recording. */
    private final Map<AcceptSet, Row> successors = new ConcurrentHashMap<>(2);

    /** The lexer after a set of lexemes ended here, where it is the same for all tapes. */
    private final Map<AcceptSet, LexState> starts = new ConcurrentHashMap<>(2);

    List<TokenTarget> tokens = List.of();

    /** Whether the output may end here. */
    boolean isAccepting;

    /** The bytes recorded when the row was entered; null while nothing is captured. */
    @Nullable Tape tape;

    /** Whether recorded bytes decided which lexemes may come. */
    boolean isOfItsTape;

    /** The lexer at the start of a lexeme. */
    LexState start = LexState.DEAD;

    Row(int id, Key key) {
        this.id = id;
        this.key = key;
    }

    @Override
    public int hashCode() {
        return id * 0x9E37_79B9;
    }

    /** The row after these lexemes, if it is known; without a lock. */
    @Nullable Row known(AcceptSet accepts) {
        return successors.get(accepts);
    }

    void remember(AcceptSet accepts, Row after) {
        successors.put(accepts, after);
    }

    /** How any row after these lexemes starts, if it is known not to depend on the tape. */
    @Nullable LexState knownStart(AcceptSet accepts) {
        return starts.get(accepts);
    }

    void rememberStart(AcceptSet accepts, LexState start) {
        starts.put(accepts, start);
    }
}
