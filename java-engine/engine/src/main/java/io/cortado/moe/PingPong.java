package io.cortado.moe;

/**
 * The order of a step in which attention and experts are on ranks of their own and micro-batches go
 * to and fro: while experts compute one, attention computes another. Items are numbered in the
 * order in which they are computed, on both sides the same: item {@code layer * microBatches +
 * microBatch}. An item's rows are dispatched when its attention is done and combined when its
 * experts are done, and attention then takes the same micro-batch through the next layer.
 *
 * <p>All ranks enter all exchanges in one order, which is fixed by the numbers alone, so that
 * exchanges which are barriers block nobody for good. It is such that neither side waits for an
 * exchange of the other that it does not need: the rows of an item come back behind the dispatch of
 * the items that experts are to have meanwhile, {@link #ahead} of them.
 */
public final class PingPong {
    private final int items;
    private final int microBatches;
    private final int ahead;

    /** Which way rows go. */
    public enum Way {
        /** From attention to experts. */
        DISPATCH,
        /** From experts to attention. */
        COMBINE
    }

    /** An exchange that all ranks enter. */
    public record Exchange(Way way, int item) {}

    /**
     * @param layers with experts, at least 1
     * @param microBatches of the step, at least 1
     */
    public PingPong(int layers, int microBatches) {
        if (layers < 1 || microBatches < 1) {
            throw new IllegalArgumentException(
                    "layers and microBatches must be positive: layers=%d microBatches=%d"
                            .formatted(layers, microBatches));
        }
        items = Math.multiplyExact(layers, microBatches);
        this.microBatches = microBatches;
        ahead = microBatches == 1 ? 0 : Math.max(1, microBatches - 2);
    }

    /** How often each side computes. */
    public int items() {
        return items;
    }

    public int microBatches() {
        return microBatches;
    }

    public int layerOf(int item) {
        return item / microBatches;
    }

    public int microBatchOf(int item) {
        return item % microBatches;
    }

    /** So many items are dispatched behind one before that one's rows come back. */
    public int ahead() {
        return ahead;
    }

    /** The item whose rows attention needs back before it computes this one; negative: none. */
    public int neededBy(int item) {
        return item - microBatches;
    }

    /** How many exchanges a step has. */
    public int exchanges() {
        return 2 * items;
    }

    /**
     * The exchange of a number: first dispatches of the items that are ahead, then a dispatch and a
     * combine in turn, then the combines that are left.
     *
     * @param number 0 to {@link #exchanges} - 1
     */
    public Exchange exchange(int number) {
        int first = Math.min(ahead, items);
        if (number < first) {
            return new Exchange(Way.DISPATCH, number);
        }
        int inTurn = number - first;
        int turns = items - first;
        if (inTurn < 2 * turns) {
            boolean isDispatch = inTurn % 2 == 0;
            return isDispatch
                    ? new Exchange(Way.DISPATCH, first + inTurn / 2)
                    : new Exchange(Way.COMBINE, inTurn / 2);
        }
        return new Exchange(Way.COMBINE, inTurn - turns);
    }
}
