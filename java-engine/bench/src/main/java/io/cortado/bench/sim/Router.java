package io.cortado.bench.sim;

import io.cortado.bench.traces.Trace;
import io.cortado.engine.SimulatedEngine;
import java.util.Arrays;
import java.util.stream.IntStream;

/** Which of several engines takes a request. */
@FunctionalInterface
interface Router {
    /** Affinity gives way where an engine has so many times the mean load. */
    double MOST_LOAD = 1.5;

    int pick(int row);

    static Router of(SimSetup.RouterKind kind, Trace trace, SimulatedEngine[] engines) {
        return switch (kind) {
            case ROUND_ROBIN -> row -> row % engines.length;
            case LEAST_LOADED -> _ -> leastLoaded(engines);
            case PREFIX -> new Prefix(trace, engines);
        };
    }

    /** By prompt and output tokens of the requests that are there. */
    private static int leastLoaded(SimulatedEngine[] engines) {
        int best = 0;
        for (int i = 1; i < engines.length; i++) {
            if (engines[i].load() < engines[best].load()) {
                best = i;
            }
        }
        return best;
    }

    /**
     * The engine that was given the longest part of the prompt last, unless it is loaded far above
     * the mean: what a router knows that hears nothing from the caches.
     */
    final class Prefix implements Router {
        private static final int NOBODY = -1;

        private final Trace trace;
        private final SimulatedEngine[] engines;

        /** By block of the trace: the engine. */
        private final int[] givenTo;

        private Prefix(Trace trace, SimulatedEngine[] engines) {
            this.trace = trace;
            this.engines = engines;
            int[][] blocks = trace.blocks();
            int unique =
                    blocks == null
                            ? 0
                            : 1 + Arrays.stream(blocks).flatMapToInt(IntStream::of).max().orElse(0);
            givenTo = new int[unique];
            Arrays.fill(givenTo, NOBODY);
        }

        @Override
        public int pick(int row) {
            int[][] blocks = trace.blocks();
            int[] ids = blocks == null ? new int[0] : blocks[row];
            int engine = NOBODY;
            for (int i = ids.length - 1; i >= 0 && engine == NOBODY; i--) {
                engine = givenTo[ids[i]];
            }
            if (engine == NOBODY || isOverloaded(engine, trace.inputs()[row])) {
                engine = leastLoaded(engines);
            }
            for (int id : ids) {
                givenTo[id] = engine;
            }
            return engine;
        }

        private boolean isOverloaded(int engine, int more) {
            double mean =
                    Arrays.stream(engines).mapToLong(SimulatedEngine::load).average().orElse(0);
            return engines[engine].load() > MOST_LOAD * (mean + more);
        }
    }
}
