package io.cortado.device;

import static java.lang.System.Logger.Level.INFO;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Which algorithm a vendor's library computes each shape by: the fastest of those that it proposes,
 * timed once and kept. A shape that none computes, or that the kept one refuses, is left to the own
 * kernels from then on, and the log says so. One thread.
 *
 * @param <S> a shape: equal ones share an algorithm
 * @param <A> an algorithm
 */
final class AlgorithmChoice<S, A> {
    /** A product that can be computed in several ways, again and again with the same result. */
    interface Product<A> {
        /** Algorithms worth a try; valid for as long as their library. */
        List<A> proposals();

        /** Enqueues; false if the algorithm is refused, and then nothing was. */
        boolean enqueue(A algorithm);

        /** Waits until what was enqueued has run. */
        void synchronize();
    }

    private static final System.Logger LOG = System.getLogger(AlgorithmChoice.class.getName());
    private static final int TIMED_RUNS = 5;

    private final Map<S, Optional<A>> choices = new HashMap<>();
    private final LongSupplier clock;

    /**
     * @param clock nanoseconds
     */
    AlgorithmChoice(LongSupplier clock) {
        this.clock = clock;
    }

    /**
     * Enqueues the product by its shape's algorithm.
     *
     * @param mayTime false while nothing can be timed, as during capture: a new shape then waits
     * @return false if nothing was enqueued and the own kernel has to serve
     */
    boolean enqueue(S shape, Product<A> product, boolean mayTime) {
        Optional<A> choice = choices.get(shape);
        if (choice == null) {
            if (!mayTime) {
                return false;
            }
            choice = Optional.ofNullable(fastest(product));
            keep(shape, choice);
        }
        if (choice.isEmpty()) {
            return false;
        }
        boolean isEnqueued = product.enqueue(choice.get());
        if (!isEnqueued) {
            keep(shape, Optional.empty());
        }
        return isEnqueued;
    }

    private void keep(S shape, Optional<A> choice) {
        choices.put(shape, choice);
        if (choice.isEmpty()) {
            LOG.log(INFO, "own kernels (no algorithm of the vendor computes {0})", shape);
        }
    }

    /** The first proposal is often not the fastest, so each is timed. */
    private @Nullable A fastest(Product<A> product) {
        A best = null;
        long bestNanos = Long.MAX_VALUE;
        for (A candidate : product.proposals()) {
            if (!product.enqueue(candidate)) {
                continue;
            }
            long nanos = time(product, candidate);
            if (nanos < bestNanos) {
                bestNanos = nanos;
                best = candidate;
            }
        }
        return best;
    }

    private long time(Product<A> product, A candidate) {
        product.synchronize();
        long start = clock.getAsLong();
        for (int run = 0; run < TIMED_RUNS; run++) {
            product.enqueue(candidate);
        }
        product.synchronize();
        return clock.getAsLong() - start;
    }
}
