package io.cortado.engine;

import io.cortado.kv.DiskTier;
import io.cortado.kv.KvCache;
import io.cortado.kv.Transfer;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/**
 * The loop's side of the disk tier: hands transfers to the executor, and keeps arriving requests
 * back while what they can use is read, for a bounded time.
 */
final class DiskTraffic {
    /** Longer than a disk that works takes; then what is still not there is computed. */
    private static final long MOST_NANOS = 2_000_000_000L;

    private final KvCache cache;
    private final DiskTier tier;
    private final Executor executor;
    private final List<Request> kept = new ArrayList<>();

    DiskTraffic(KvCache cache, DiskTier tier, Executor executor) {
        this.cache = cache;
        this.tier = tier;
        this.executor = executor;
    }

    /** A request arrives: true if it is kept back, until {@link #turn} or {@link #let} it go. */
    boolean keeps(Request request, long nowNanos) {
        Sequence first = request.sequences[0];
        if (first.keys == null) {
            return false;
        }
        request.fetch = cache.fetch(first.keys, first.reusable());
        request.fetchedUntilNanos = nowNanos + MOST_NANOS;
        return request.fetch != null && kept.add(request);
    }

    boolean keepsAny() {
        return !kept.isEmpty();
    }

    /** True if it was kept back, and is not any more. */
    boolean let(Request request) {
        if (request.fetch == null) {
            return false;
        }
        request.fetch = null;
        return kept.remove(request);
    }

    /** Once a turn of the loop: what has ended, who may go, what begins. */
    void turn(long nowNanos, Consumer<Request> go) {
        for (Executor.Ended e = executor.ended(); e != null; e = executor.ended()) {
            tier.end(e.transfer(), e.isRight());
        }
        for (int i = 0; i < kept.size(); ) {
            Request request = kept.get(i);
            DiskTier.Fetch fetch = request.fetch;
            if (fetch != null && !fetch.isDone() && nowNanos < request.fetchedUntilNanos) {
                i++;
            } else {
                let(request);
                go.accept(request);
            }
        }
        tier.writeAhead();
        for (Transfer next = tier.next(); next != null; next = tier.next()) {
            executor.start(next);
        }
    }
}
