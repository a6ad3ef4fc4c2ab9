package io.cortado.engine;

import static java.lang.System.Logger.Level.INFO;

import io.cortado.api.ExpertLoad;
import io.cortado.moe.ExpertBalancer;
import io.cortado.moe.ExpertPlacement;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.LongSupplier;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Looks now and then at what experts were chosen since the last look, and proposes to move some
 * where ranks are not balanced; where they are, nothing moves. The loop's.
 */
final class ExpertMoves {
    private static final System.Logger LOG = System.getLogger(ExpertMoves.class.getName());

    /** Mean load of a rank by the greatest: above it nothing is worth a move. */
    private static final double ENOUGH = 0.9;

    /** Choices of a layer: with fewer a look says little. */
    private static final long LEAST_CHOICES = 1000;

    private final Supplier<List<ExpertPlacement>> inForce;
    private final Consumer<List<ExpertPlacement>> propose;
    private final ExpertBalancer balancer;
    private final long everyNanos;
    private final LongSupplier clock;
    private long lastNanos;
    private @Nullable List<ExpertLoad> seen;

    /**
     * @param inForce the placements now, by layer
     * @param propose takes those that are wanted
     */
    ExpertMoves(
            Supplier<List<ExpertPlacement>> inForce,
            Consumer<List<ExpertPlacement>> propose,
            ExpertBalancer balancer,
            long everyNanos,
            LongSupplier clock) {
        this.inForce = inForce;
        this.propose = propose;
        this.balancer = balancer;
        this.everyNanos = everyNanos;
        this.clock = clock;
        lastNanos = clock.getAsLong();
    }

    /** Before a step. */
    void turn(Supplier<List<ExpertLoad>> loads) {
        long now = clock.getAsLong();
        if (now - lastNanos >= everyNanos) {
            lastNanos = now;
            look(loads.get());
        }
    }

    private void look(List<ExpertLoad> counted) {
        List<ExpertLoad> before = seen;
        seen = counted;
        List<ExpertPlacement> current = inForce.get();
        List<ExpertPlacement> wanted = new ArrayList<>();
        int moves = 0;
        for (int layer = 0; layer < current.size(); layer++) {
            long[] fresh = longs(counted.get(layer));
            long[] old = before == null ? new long[fresh.length] : longs(before.get(layer));
            for (int i = 0; i < fresh.length; i++) {
                fresh[i] -= old[i];
            }
            ExpertPlacement placement = next(current.get(layer), fresh);
            moves += placement.movesFrom(current.get(layer));
            wanted.add(placement);
        }
        if (moves > 0) {
            LOG.log(INFO, "{0} experts move to ranks that have less to do", moves);
            propose.accept(wanted);
        }
    }

    private static long[] longs(ExpertLoad load) {
        return load.tokens().stream().mapToLong(Long::longValue).toArray();
    }

    private ExpertPlacement next(ExpertPlacement current, long[] fresh) {
        long choices = 0;
        for (long count : fresh) {
            choices += count;
        }
        return choices < LEAST_CHOICES ? current : balancer.replan(current, fresh, ENOUGH);
    }
}
