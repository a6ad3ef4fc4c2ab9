package io.cortado.bench.sim;

import io.cortado.api.EngineStats;
import io.cortado.bench.traces.Trace;
import io.cortado.engine.SimulatedEngine;
import java.util.Arrays;
import java.util.function.IntPredicate;

/** How the requests of a trace went, and what the engines did. For one thread. */
public final class Outcomes implements SimulatedEngine.Listener {
    /** As the fair policy counts: {@code prompt + 2 * drawn}. */
    private static final double DRAWN_TOKEN = 2;

    private static final long NOT_ENDED = -1;

    /** One part in so many of the arrivals' time is for engines to fill. */
    private static final long FILLING = 4;

    private final Trace trace;
    private final SimSetup setup;
    private final long[] queued;
    private final long[] ttft;
    private final long[] e2e;
    private final double[] served;
    private final long horizon;
    private long steadyTokens;
    private long lastEnd;
    private int taken;
    private int full;
    private int tooLong;
    private int ended;

    private double utilisation;
    private double usedBlocks;
    private long reusedTokens;
    private long tokensFromHost;
    private long admittedPromptTokens;
    private long preemptions;
    private long evictions;
    private long steps;
    private long scheduledSeqs;

    Outcomes(Trace trace, SimSetup setup) {
        this.trace = trace;
        this.setup = setup;
        queued = new long[trace.size()];
        ttft = new long[trace.size()];
        e2e = new long[trace.size()];
        Arrays.fill(e2e, NOT_ENDED);
        served = new double[trace.tenantNames().size()];
        horizon = trace.durationNanos();
    }

    void taken() {
        taken++;
    }

    void refusedFull() {
        full++;
    }

    void refusedTooLong() {
        tooLong++;
    }

    @Override
    public void served(int request, int promptTokens, int drawnTokens, long atNanos) {
        if (atNanos <= horizon) {
            steadyTokens += atNanos > horizon / FILLING ? drawnTokens : 0;
            served[trace.tenants()[request]] += promptTokens + DRAWN_TOKEN * drawnTokens;
        }
    }

    @Override
    public void ended(int request, long queuedNanos, long ttftNanos, long e2eNanos) {
        queued[request] = queuedNanos;
        ttft[request] = ttftNanos;
        e2e[request] = e2eNanos;
        lastEnd = Math.max(lastEnd, trace.arrivalNanos()[request] + e2eNanos);
        admittedPromptTokens += trace.inputs()[request];
        ended++;
    }

    void finish(SimulatedEngine[] engines) {
        if (ended != taken) {
            throw new IllegalStateException(
                    "requests were lost: taken=" + taken + " ended=" + ended);
        }
        for (SimulatedEngine engine : engines) {
            EngineStats stats = engine.stats();
            if (stats.blocksUsed() != 0) {
                throw new IllegalStateException("blocks were lost: used=" + stats.blocksUsed());
            }
            utilisation += (double) engine.busyNanos() / Math.max(1, lastEnd) / engines.length;
            usedBlocks += engine.meanUsedBlocks() / stats.blocksTotal() / engines.length;
            reusedTokens += stats.cache().reusedTokens();
            tokensFromHost += stats.cache().tokensFromHost();
            evictions += stats.cache().evictions();
            preemptions += stats.preemptions();
            steps += stats.steps();
            scheduledSeqs += stats.scheduledSeqs();
        }
    }

    /** Requests that were taken, all of which have ended. */
    public int ended() {
        return ended;
    }

    public int refusedAsFull() {
        return full;
    }

    public int refusedAsTooLong() {
        return tooLong;
    }

    public long durationNanos() {
        return lastEnd;
    }

    /** Share of the time in which the devices worked. */
    public double utilisation() {
        return utilisation;
    }

    /** Share of the blocks in use while the devices worked. */
    public double usedBlocks() {
        return usedBlocks;
    }

    /** Share of the prompts' tokens that the cache had; again after a preemption counts again. */
    public double hitRatio() {
        return share(reusedTokens, admittedPromptTokens);
    }

    /** Share of those that came from host memory. */
    public double hostShare() {
        return share(tokensFromHost, reusedTokens);
    }

    public long preemptions() {
        return preemptions;
    }

    public long evictions() {
        return evictions;
    }

    public long steps() {
        return steps;
    }

    public double meanBatch() {
        return share(scheduledSeqs, steps);
    }

    private static double share(long part, long whole) {
        return whole == 0 ? 0 : (double) part / whole;
    }

    public double[] ttftMs() {
        return millis(row -> true, ttft);
    }

    public double[] interactiveTtftMs() {
        return millis(row -> !setup.isBatch(row), ttft);
    }

    public double[] queuedMs() {
        return millis(row -> true, queued);
    }

    public double[] e2eMs() {
        return millis(row -> true, e2e);
    }

    /** Of the answers that have more than one token. */
    public double[] tpotMs() {
        double[] all = new double[ended];
        int n = 0;
        for (int row = 0; row < e2e.length; row++) {
            if (e2e[row] != NOT_ENDED && trace.outputs()[row] > 1) {
                all[n++] = tpotNanos(row) / 1e6;
            }
        }
        return Arrays.copyOf(all, n);
    }

    private double tpotNanos(int row) {
        int more = trace.outputs()[row] - 1;
        return more < 1 ? 0 : (double) (e2e[row] - ttft[row]) / more;
    }

    private double[] millis(IntPredicate counts, long[] nanos) {
        double[] all = new double[ended];
        int n = 0;
        for (int row = 0; row < nanos.length; row++) {
            if (e2e[row] != NOT_ENDED && counts.test(row)) {
                all[n++] = nanos[row] / 1e6;
            }
        }
        return Arrays.copyOf(all, n);
    }

    /** Drawn tokens in the last three quarters of the time in which requests arrive. */
    public double steadyTokensPerSecond() {
        return steadyTokens / (Math.max(1, horizon - horizon / FILLING) / 1e9);
    }

    public double offeredPerSecond() {
        return trace.size() / (Math.max(1, horizon) / 1e9);
    }

    /** Of all requests, those that kept their targets. */
    public double goodShare() {
        return (double) good() / trace.size();
    }

    /** Requests that kept their targets. */
    public int good() {
        int good = 0;
        for (int row = 0; row < e2e.length; row++) {
            boolean isGood = e2e[row] != NOT_ENDED && setup.isGood(row, ttft[row], tpotNanos(row));
            good += isGood ? 1 : 0;
        }
        return good;
    }

    /** What each tenant was given up to the last arrival: prompt tokens + 2 * output tokens. */
    public double[] served() {
        return served.clone();
    }

    /** Jain's index of {@link #served} over {@link Fairness#shares}: 1 is max-min fair. */
    public double fairness() {
        double[] demand = new double[served.length];
        for (int row = 0; row < trace.size(); row++) {
            demand[trace.tenants()[row]] +=
                    trace.inputs()[row] + DRAWN_TOKEN * Math.max(1, trace.outputs()[row]);
        }
        return Fairness.index(served, demand, setup.weights(trace.tenantNames()));
    }
}
