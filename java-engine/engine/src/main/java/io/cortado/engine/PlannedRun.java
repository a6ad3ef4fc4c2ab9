package io.cortado.engine;

import io.cortado.api.EngineOptions;
import io.cortado.api.PlanLoad;
import io.cortado.api.Scheduling;
import io.cortado.kv.KvCache;
import io.cortado.model.StepCost;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A load, run by the production loop, scheduler and cache on a clock of its own, where a step takes
 * what its operators are known to take.
 */
final class PlannedRun {
    private static final int[] NO_IDS = {};

    /** A device that takes as long as it is known to take. */
    private final class Clocked implements Executor {
        private @Nullable Batch last;
        private long lastEnd;
        private long endBefore;

        @Override
        public void submit(Batch batch, KvCache moves) {
            cost.begin(batch.numTokens(), batch.numRows());
            for (int i = 0; i < batch.numSeqs(); i++) {
                cost.sequence(batch.tokensOf(i), batch.seqlensKv[i]);
            }
            if (last == null) {
                firstStep = operators();
            }
            mostSeqs = Math.max(mostSeqs, batch.numSeqs());
            endBefore = lastEnd;
            lastEnd = Math.max(now, lastEnd) + Math.max(1, (long) (cost.seconds() * 1e9));
            last = batch;
        }

        @Override
        public void await(Batch batch) {
            now = Math.max(now, batch == last ? lastEnd : endBefore);
            for (int row = 0; row < batch.numRows(); row++) {
                batch.token[row] = 0;
                batch.status[row] = SampleStatus.OK;
            }
        }

        @Override
        public void close() {}
    }

    private final StepCost cost;
    private final EngineLoop loop;
    private final List<Request> requests = new ArrayList<>();
    private final PlanLoad load;
    private final Door door;
    private long now = 1; // a request that came at 0 would have no time of arrival
    private int mostSeqs;
    private Map<StepCost.Operator, Double> firstStep = Map.of();

    private PlannedRun(
            EngineOptions options, Limits limits, int kvBlocks, StepCost cost, PlanLoad load) {
        this.cost = cost;
        this.load = load;
        Door door = new Door(limits.maxNumSeqs(), load.concurrency(), 0);
        loop =
                new EngineLoop(
                        new KvCache(kvBlocks, 0),
                        limits,
                        AdmissionQueue.of(options),
                        new Clocked(),
                        door,
                        () -> now);
        this.door = door;
        put(1);
    }

    private void put(int count) {
        int[] prompt = new int[load.promptTokens()];
        for (int i = 0; i < count; i++) {
            door.enter(1, prompt.length);
            Request request = new Request(spec(prompt), door, now);
            requests.add(request);
            loop.put(request);
        }
    }

    private RequestSpec spec(int[] prompt) {
        int output = load.outputTokens();
        return new RequestSpec(
                prompt,
                1,
                output,
                0,
                RowParams.RAW,
                -1,
                -1,
                Scheduling.DEFAULT,
                null, // nothing is shared
                null,
                () -> new StopRules(NO_IDS, 0, output, null));
    }

    /**
     * The load fits: a sequence of it is not longer than the cache. Requests that come at once find
     * the first of them under way, as an idle engine waits for no second one.
     */
    static PlannedRun of(
            EngineOptions options, Limits limits, int kvBlocks, StepCost cost, PlanLoad load) {
        PlannedRun run = new PlannedRun(options, limits, kvBlocks, cost, load);
        run.loop.step();
        run.put(load.concurrency() - 1);
        while (run.loop.step()) {
            // the clock goes on with each step
        }
        return run;
    }

    /** Seconds by operator of the step that was described last. */
    private Map<StepCost.Operator, Double> operators() {
        Map<StepCost.Operator, Double> all = new EnumMap<>(StepCost.Operator.class);
        for (StepCost.Operator operator : StepCost.Operator.values()) {
            all.put(operator, cost.seconds(operator));
        }
        return all;
    }

    double meanTtftSeconds() {
        return told(requests.stream().mapToLong(Request::ttftNanos).average().orElse(0) / 1e9);
    }

    double lastTtftSeconds() {
        return told(requests.stream().mapToLong(Request::ttftNanos).max().orElse(0) / 1e9);
    }

    /** When the caller knows of it. */
    private double told(double seconds) {
        return seconds + cost.turnaroundSeconds();
    }

    /** 0 where there is one token. */
    double meanTpotSeconds() {
        int more = load.outputTokens() - 1;
        return more == 0
                ? 0
                : requests.stream()
                                .mapToLong(request -> request.e2eNanos() - request.ttftNanos())
                                .average()
                                .orElse(0)
                        / more
                        / 1e9;
    }

    double seconds() {
        return told(requests.stream().mapToLong(Request::e2eNanos).max().orElse(0) / 1e9);
    }

    int mostSeqs() {
        return mostSeqs;
    }

    long preemptions() {
        return loop.counters().snapshot().preemptions();
    }

    /** Seconds by operator. */
    Map<StepCost.Operator, Double> firstStep() {
        return firstStep;
    }

    /** Seconds by operator of a step in which so many sequences decode, their outputs half done. */
    Map<StepCost.Operator, Double> decodeStep() {
        describeDecodes();
        return operators();
    }

    double decodeFloorSeconds() {
        describeDecodes();
        return cost.floorSeconds();
    }

    double prefillFloorSeconds() {
        cost.begin(load.promptTokens(), 1);
        cost.sequence(load.promptTokens(), load.promptTokens());
        return cost.floorSeconds();
    }

    private void describeDecodes() {
        cost.begin(mostSeqs, mostSeqs);
        for (int i = 0; i < mostSeqs; i++) {
            cost.sequence(1, load.promptTokens() + load.outputTokens() / 2);
        }
    }
}
