package io.cortado.bench.sim;

import io.cortado.bench.traces.Trace;
import io.cortado.kv.BlockPool;
import io.cortado.layout.Layout;
import io.cortado.layout.LayoutCost;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A trace for one rank with attention of a layout over many devices: its own scheduler and cache,
 * in step with ranks that have as much to do.
 */
public final class LayoutSim {
    private static final double MOST_SCALE = 1e6;
    private static final double WIDE = 4;
    private static final double NARROW = 1.02;
    private static final int MOST_BLOCKS = 1 << 24;
    private static final long MOST_REQUESTS = 10_000_000;

    private final Trace trace;
    private final SimSetup setup;
    private final LayoutCost cost;
    private final boolean hasPrefill;

    /**
     * What became of the trace.
     *
     * @param scale the trace arrived so many times as fast
     * @param kvTokens that all ranks hold
     */
    public record Outcome(
            Layout layout, double scale, double kvTokens, Outcomes requests, GangCost steps) {
        int width() {
            return GangCost.width(layout);
        }

        /** Drawn tokens a second for each device, once the ranks are filled. */
        public double tokensPerDevice() {
            return requests.steadyTokensPerSecond() * width() / layout.ranks();
        }

        /** Requests that kept their targets, of all. */
        public double good() {
            return requests.goodShare();
        }

        /** Requests a second, for all ranks. */
        public double requestsPerSecond() {
            return requests.offeredPerSecond() * width();
        }
    }

    /**
     * @param setup its blocks are those that the layout's memory leaves
     */
    public LayoutSim(Trace trace, SimSetup setup, LayoutCost cost, boolean hasPrefill) {
        this.trace = trace;
        this.setup = setup;
        this.cost = cost;
        this.hasPrefill = hasPrefill;
    }

    /**
     * The trace at one rate, over and over so that there are as many requests for each device as
     * the trace has; null where a rank has no block for keys and values.
     *
     * @param layouts that differ in their micro-batches alone
     */
    public @Nullable Outcome at(List<? extends Layout> layouts, double scale) {
        Layout layout = layouts.getFirst();
        int width = GangCost.width(layout);
        double kvTokens = cost.kvTokens(layout);
        int blocks = (int) Math.min(MOST_BLOCKS, kvTokens / width / BlockPool.BLOCK_TOKENS);
        if (blocks < 1) {
            return null;
        }
        GangCost steps = new GangCost(cost, layouts, hasPrefill);
        int requests = (int) Math.min(MOST_REQUESTS, (long) trace.size() * layout.ranks() / width);
        Trace own = trace.repeated(requests).scaled(scale);
        Outcomes outcomes = Fleet.run(own, setup.kvBlocks(blocks), steps);
        return new Outcome(layout, scale, kvTokens, outcomes, steps);
    }

    /**
     * The trace at the highest rate, within 2%, at which a share of the requests keeps its targets;
     * null where none does.
     */
    public @Nullable Outcome fastest(List<? extends Layout> layouts, double share) {
        double low = 1;
        Outcome best = kept(layouts, low, share);
        while (best == null && low > 1 / MOST_SCALE) {
            low /= WIDE;
            best = kept(layouts, low, share);
        }
        double high = WIDE * low;
        Outcome next = best;
        while (next != null && high < MOST_SCALE) {
            next = kept(layouts, high, share);
            if (next != null) {
                best = next;
                low = high;
                high *= WIDE;
            }
        }
        while (best != null && high > NARROW * low) {
            double middle = Math.sqrt(low * high);
            next = kept(layouts, middle, share);
            if (next == null) {
                high = middle;
            } else {
                best = next;
                low = middle;
            }
        }
        return best;
    }

    private @Nullable Outcome kept(List<? extends Layout> layouts, double scale, double share) {
        Outcome outcome = at(layouts, scale);
        return outcome != null && outcome.good() >= share ? outcome : null;
    }
}
