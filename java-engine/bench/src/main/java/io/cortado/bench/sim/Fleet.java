package io.cortado.bench.sim;

import io.cortado.bench.traces.Trace;
import io.cortado.engine.SimulatedEngine;
import io.cortado.engine.SimulatedEngine.StepCost;
import java.util.Comparator;
import java.util.PriorityQueue;

/** Engines side by side, each on its own clock, and the requests of a trace for them. */
public final class Fleet {
    private static final int MOST_TENANT_CHARS = 256;

    private final Trace trace;
    private final SimSetup setup;
    private final SimulatedEngine[] engines;
    private final Router router;
    private final Outcomes outcomes;

    /** Those that have work, the one first that is furthest behind. */
    private final PriorityQueue<SimulatedEngine> busy =
            new PriorityQueue<>(Comparator.comparingLong(SimulatedEngine::nowNanos));

    private Fleet(Trace trace, SimSetup setup, StepCost cost) {
        this.trace = trace;
        this.setup = setup;
        outcomes = new Outcomes(trace, setup);
        engines = new SimulatedEngine[setup.replicas()];
        for (int i = 0; i < engines.length; i++) {
            engines[i] =
                    new SimulatedEngine(
                            setup.options(), setup.kvBlocks(), setup.hostBlocks(), cost, outcomes);
        }
        router = Router.of(setup.router(), trace, engines);
    }

    /** Runs a trace to its end. */
    public static Outcomes run(Trace trace, SimSetup setup, StepCost cost) {
        Fleet fleet = new Fleet(trace, setup, cost);
        for (int row = 0; row < trace.size(); row++) {
            fleet.runUntil(trace.arrivalNanos()[row]);
            fleet.arrive(row);
        }
        fleet.runUntil(Long.MAX_VALUE);
        fleet.outcomes.finish(fleet.engines);
        return fleet.outcomes;
    }

    private void runUntil(long nanos) {
        while (!busy.isEmpty() && busy.element().nowNanos() <= nanos) {
            SimulatedEngine engine = busy.remove();
            boolean hasWork = true;
            while (hasWork && engine.nowNanos() <= nanos) {
                hasWork = engine.step();
            }
            if (hasWork) {
                busy.add(engine);
            }
        }
    }

    private void arrive(int row) {
        SimulatedEngine engine = engines[router.pick(row)];
        boolean isQueued = engine.isBusy();
        String tenant = trace.tenantNames().get(trace.tenants()[row]);
        SimulatedEngine.Offer offer =
                engine.offer(
                        row,
                        trace.arrivalNanos()[row],
                        trace.prompt(row),
                        Math.max(1, trace.outputs()[row]),
                        setup.scheduling(
                                row,
                                tenant.substring(0, Math.min(MOST_TENANT_CHARS, tenant.length()))));
        switch (offer) {
            case TAKEN -> outcomes.taken();
            case QUEUE_IS_FULL -> outcomes.refusedFull();
            case NEVER_FITS -> outcomes.refusedTooLong();
        }
        if (!isQueued && engine.isBusy()) {
            busy.add(engine);
        }
    }
}
