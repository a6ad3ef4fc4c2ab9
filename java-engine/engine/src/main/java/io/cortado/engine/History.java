package io.cortado.engine;

import io.cortado.api.RequestReport;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicReferenceArray;

/**
 * The requests that are live and the reports of the last ones that have ended. The loop writes; any
 * thread reads and never keeps the loop waiting.
 */
final class History {
    /** Reports that are kept. */
    static final int SIZE = 1024;

    private final AtomicReferenceArray<RequestReport> last = new AtomicReferenceArray<>(SIZE);
    private final Set<Request> live = ConcurrentHashMap.newKeySet();
    private volatile long numEnded;

    void arrived(Request request) {
        live.add(request);
    }

    void ended(Request request, RequestReport report) {
        long index = numEnded;
        last.set((int) (index % SIZE), report);
        numEnded = index + 1;
        live.remove(request);
    }

    /** Newest arrivals first: the live ones, then those that have ended. */
    List<RequestReport> reports(int max, Journal journal, long bytesPerBlock, long nowNanos) {
        List<Request> now = new ArrayList<>(live);
        now.sort(Comparator.comparingLong(Request::number).reversed());
        List<RequestReport> all = new ArrayList<>();
        for (int i = 0; i < now.size() && all.size() < max; i++) {
            Request request = now.get(i);
            String state = request.hasStarted() ? "running" : "waiting";
            all.add(request.report(state, journal, bytesPerBlock, nowNanos));
        }
        long end = numEnded;
        for (long i = end - 1; i >= Math.max(0, end - SIZE) && all.size() < max; i--) {
            all.add(last.get((int) (i % SIZE)));
        }
        return all;
    }
}
