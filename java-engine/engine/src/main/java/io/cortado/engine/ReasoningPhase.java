package io.cortado.engine;

/**
 * How far an answer is in its reasoning. Until it is clear whether its first tokens open the
 * reasoning or are the answer, both are followed.
 */
final class ReasoningPhase {
    private static final int NONE = -1;

    private final ReasoningRegion region;

    /** Symbols of the begin marker drawn; {@link #NONE} where the output is not it. */
    private int opened;

    /** Of the end marker. */
    private int state;

    private boolean isInside;
    private boolean isOver;

    ReasoningPhase(ReasoningRegion region, ReasoningRegion.Start start) {
        this.region = region;
        isInside = start == ReasoningRegion.Start.INSIDE;
        opened = start == ReasoningRegion.Start.EITHER ? 0 : NONE;
    }

    /** As far, and then on its own way. */
    ReasoningPhase copy() {
        ReasoningPhase copy = new ReasoningPhase(region, ReasoningRegion.Start.EITHER);
        copy.opened = opened;
        copy.state = state;
        copy.isInside = isInside;
        copy.isOver = isOver;
        return copy;
    }

    boolean isInside() {
        return isInside;
    }

    /** All that follows is the answer's. */
    boolean isOver() {
        return isOver;
    }

    /** Writes what may be drawn inside. */
    void inside(int[] mask) {
        int[] allowed = region.inside(state);
        System.arraycopy(allowed, 0, mask, 0, mask.length);
    }

    /** Adds what goes on with the begin marker. */
    void addOpening(int[] mask) {
        for (int id : region.opening(opened)) {
            mask[id >> 5] |= 1 << id;
        }
    }

    /** Takes a token that was drawn. */
    void accept(int token) {
        if (isInside) {
            state = region.after(state, token);
            isOver = state == ReasoningRegion.ENDED;
            return;
        }
        opened = region.opened(opened, token);
        isOver = opened == NONE;
        isInside = !isOver && region.isOpen(opened);
    }
}
