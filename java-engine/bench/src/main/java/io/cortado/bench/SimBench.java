package io.cortado.bench;

import static io.cortado.bench.BenchCommand.require;

import io.cortado.api.EngineException;
import io.cortado.api.EngineOptions;
import io.cortado.api.EngineOptions.SchedulingPolicy;
import io.cortado.bench.sim.DeviceCost;
import io.cortado.bench.sim.FittedCost;
import io.cortado.bench.sim.Fleet;
import io.cortado.bench.sim.Outcomes;
import io.cortado.bench.sim.SimReport;
import io.cortado.bench.sim.SimSetup;
import io.cortado.bench.traces.SyntheticTrace;
import io.cortado.bench.traces.Trace;
import io.cortado.bench.traces.TraceReader;
import io.cortado.engine.SimulatedEngine.StepCost;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code bench sim TRACE}: the production scheduler and cache on a virtual clock. */
@Command(
        name = "sim",
        description =
                "What engines would do with a trace, by a table of costs: policies compared, or"
                        + " layouts over many GPUs.",
        mixinStandardHelpOptions = true)
final class SimBench implements Callable<Integer> {
    private static final String SYNTHETIC = "synthetic";
    private static final double REQUESTS_PER_REPLICA = 20;
    private static final int MOST_BLOCKS = 1 << 24;
    private static final int DEFAULT_BLOCKS = 26_000;
    private static final int DEFAULT_SEQS = 256;
    private static final int MOST_SEQS = 4096;

    @Parameters(
            paramLabel = "TRACE",
            description =
                    "a file as of Azure, Mooncake, BurstGPT or VTC, gzipped or not; synthetic")
    String trace = "";

    @Option(
            names = "--policy",
            split = ",",
            paramLabel = "POLICY",
            description = "fcfs, priority, deadline, fair; default: all, and fcfs with --layout")
    @Nullable List<SchedulingPolicy> asked;

    @Option(
            names = "--cost",
            split = ",",
            paramLabel = "FILE",
            description =
                    "default, key=value files and vidur's tables of medians, or the JSON file of"
                            + " bench fit")
    List<String> cost = List.of("default");

    @Option(names = "--tensor-parallel", description = "ranks of each engine")
    int ranks = 1;

    @Option(names = "--replicas", description = "engines side by side")
    int replicas = 1;

    @Option(names = "--router", description = "round-robin, least-loaded or prefix")
    String router = "least-loaded";

    @Option(names = "--rate-scale", description = "the trace arrives so many times as fast")
    double rateScale = 1;

    @Option(names = "--limit", description = "the most requests of the trace")
    int limit = Integer.MAX_VALUE;

    @Option(names = "--requests", description = "of the synthetic trace")
    int requests = 10_000;

    @Option(names = "--request-rate", description = "of the synthetic trace; 0: 20/s a replica")
    double rate;

    @Option(names = "--seed", description = "of the synthetic trace")
    long seed = 1;

    @Option(
            names = "--kv-blocks",
            description =
                    "blocks of 16 tokens on the device of an engine; default: 26000, and with"
                            + " --layout what the weights leave")
    @Nullable Integer askedKvBlocks;

    @Option(names = "--host-blocks", description = "and in its host's memory")
    int hostBlocks;

    @Option(
            names = "--max-num-seqs",
            description = "sequences that run at once; default: 256, and 4096 with --layout")
    @Nullable Integer askedSeqs;

    @Option(names = "--max-num-batched-tokens", description = "token budget of a step")
    int maxNumBatchedTokens = EngineOptions.defaults().maxNumBatchedTokens();

    @Option(names = "--itl-target-ms", description = "time between tokens to keep; 0: any")
    int itlTargetMs = EngineOptions.defaults().itlTargetMs();

    @Option(names = "--max-waiting", description = "requests that wait before one is refused")
    int maxWaiting = 10_000;

    @Option(
            names = "--tenant-weight",
            paramLabel = "TENANT=WEIGHT",
            description = "policy fair: shares of tenants; 1 for those not named")
    Map<String, Double> tenantWeights = Map.of();

    @Option(names = "--ttft-ms", description = "target of an interactive request's first token")
    long ttftMs = 2000;

    @Option(names = "--tpot-ms", description = "target of its later tokens")
    long tpotMs = 100;

    @Option(
            names = "--batch-share",
            description = "share of requests with priority 1 and targets ten times as long")
    double batchShare = 0.5;

    @ArgGroup(exclusive = false, heading = "Layouts over many GPUs:%n")
    @Nullable LayoutFlags layout;

    @Option(names = "--json", paramLabel = "FILE", description = "the results as JSON as well")
    @Nullable Path json;

    @Override
    public Integer call() throws Exception {
        try {
            check();
            run();
            return 0;
        } catch (BenchException | EngineException e) {
            System.err.println("error: " + e.getMessage());
            return 2;
        }
    }

    private List<SchedulingPolicy> policies() {
        if (asked != null) {
            return asked;
        }
        return layout == null ? List.of(SchedulingPolicy.values()) : List.of(SchedulingPolicy.FCFS);
    }

    private int kvBlocks() {
        return askedKvBlocks == null ? DEFAULT_BLOCKS : askedKvBlocks;
    }

    private int maxNumSeqs() {
        if (askedSeqs != null) {
            return askedSeqs;
        }
        return layout == null ? DEFAULT_SEQS : MOST_SEQS;
    }

    private void check() {
        require(!policies().isEmpty(), "policy", "at least one", policies());
        require(ranks >= 1 && ranks <= 4096, "tensor-parallel", "in [1, 4096]", ranks);
        require(replicas >= 1 && replicas <= 100_000, "replicas", "in [1, 100000]", replicas);
        require(rateScale > 0 && rateScale <= 1e6, "rate-scale", "in (0, 1e6]", rateScale);
        require(limit >= 1, "limit", "positive", limit);
        require(requests >= 1 && requests <= 10_000_000, "requests", "in [1, 1e7]", requests);
        require(rate >= 0 && rate <= 1e9, "request-rate", "in [0, 1e9]", rate);
        require(
                kvBlocks() >= 1 && kvBlocks() <= MOST_BLOCKS,
                "kv-blocks",
                "in [1, 2^24]",
                kvBlocks());
        require(
                hostBlocks >= 0 && hostBlocks <= MOST_BLOCKS,
                "host-blocks",
                "in [0, 2^24]",
                hostBlocks);
        require(maxNumSeqs() <= MOST_SEQS, "max-num-seqs", "at most 4096", maxNumSeqs());
        require(ttftMs >= 1 && ttftMs <= 1e9, "ttft-ms", "in [1, 1e9]", ttftMs);
        require(tpotMs >= 1 && tpotMs <= 1e9, "tpot-ms", "in [1, 1e9]", tpotMs);
        require(batchShare >= 0 && batchShare <= 1, "batch-share", "in [0, 1]", batchShare);
        if (layout != null) {
            layout.check();
            checkLayout(layout);
        }
    }

    /** What has no meaning beside layouts is refused. */
    private void checkLayout(LayoutFlags flags) {
        require(policies().size() == 1, "policy", "one with --layout", policies());
        require(ranks == 1, "tensor-parallel", "left out with --layout, which has tp:N", ranks);
        require(replicas == 1, "replicas", "1 with --layout", replicas);
        require(hostBlocks == 0, "host-blocks", "0 with --layout", hostBlocks);
        require(askedKvBlocks == null, "kv-blocks", "left out with --layout", kvBlocks());
        require(cost.equals(List.of("default")), "cost", "left out with --layout", cost);
        require(
                flags.share == null || rateScale == 1,
                "rate-scale",
                "left out with --find-rate",
                rateScale);
    }

    private void run() throws IOException, InterruptedException {
        Trace requests = open();
        tenantWeights.forEach((tenant, weight) -> {
            require(
                    requests.tenantNames().contains(tenant),
                    "tenant-weight",
                    "of a tenant of the trace",
                    tenant);
            require(weight > 0 && weight <= 1e6, "tenant-weight", "in (0, 1e6]", weight);
        });
        Results results = new Results();
        if (layout == null) {
            comparePolicies(requests.scaled(rateScale), results);
        } else {
            layout.run(
                    requests,
                    setup().policy(policies().getFirst()),
                    rateScale,
                    seed,
                    results,
                    System.out);
        }
        System.out.println();
        results.print(System.out);
        if (json != null) {
            results.writeJson(json);
        }
    }

    private SimSetup setup() {
        return new SimSetup(
                EngineOptions.defaults()
                        .maxNumSeqs(maxNumSeqs())
                        .maxNumBatchedTokens(maxNumBatchedTokens)
                        .itlTargetMs(itlTargetMs)
                        .maxWaiting(maxWaiting),
                tenantWeights,
                replicas,
                routerKind(),
                kvBlocks(),
                hostBlocks,
                ttftMs,
                tpotMs,
                batchShare);
    }

    private void comparePolicies(Trace requests, Results results)
            throws IOException, InterruptedException {
        StepCost device = cost();
        SimSetup setup = setup();
        SimReport report = new SimReport(requests, setup, device.toString(), System.out);
        long begin = System.nanoTime();
        List<Outcomes> outcomes = simulate(requests, setup, device);
        double seconds = (System.nanoTime() - begin) / 1e9;
        List<SchedulingPolicy> policies = policies();
        for (int i = 0; i < policies.size(); i++) {
            report.add(policies.get(i), outcomes.get(i), results);
        }
        report.print();
        results.put("sim_requests_s", requests.size() * policies.size() / seconds, "req/s");
        results.put("sim_wall_s", seconds, "s");
    }

    /** Policies share nothing: each on a thread of its own where there are cores. */
    private List<Outcomes> simulate(Trace requests, SimSetup setup, StepCost device)
            throws InterruptedException {
        List<SchedulingPolicy> policies = policies();
        int threads = Math.min(policies.size(), Runtime.getRuntime().availableProcessors());
        try (ExecutorService pool = Executors.newFixedThreadPool(threads)) {
            List<Future<Outcomes>> running = new ArrayList<>();
            for (SchedulingPolicy policy : policies) {
                running.add(pool.submit(() -> Fleet.run(requests, setup.policy(policy), device)));
            }
            List<Outcomes> outcomes = new ArrayList<>();
            for (Future<Outcomes> future : running) {
                outcomes.add(future.get());
            }
            return outcomes;
        } catch (ExecutionException e) {
            throw new IllegalStateException("a simulation failed: " + e.getCause(), e);
        }
    }

    private StepCost cost() throws IOException {
        if (cost.stream().noneMatch(FittedCost::isOne)) {
            return DeviceCost.of(cost, ranks);
        }
        require(cost.size() == 1, "cost", "one file where it is JSON", cost);
        require(ranks == 1, "tensor-parallel", "1 with a JSON file of costs", ranks);
        require(hostBlocks == 0, "host-blocks", "0 with a JSON file: it has no moves", hostBlocks);
        return FittedCost.read(Path.of(cost.getFirst()));
    }

    private Trace open() throws IOException {
        if (trace.equals(SYNTHETIC)) {
            double perSecond = rate == 0 ? REQUESTS_PER_REPLICA * replicas : rate;
            return SyntheticTrace.make(Math.min(requests, limit), perSecond, seed);
        }
        require(rate == 0, "request-rate", "left out beside a file; --rate-scale scales it", rate);
        Path file = Path.of(trace);
        if (!Files.isRegularFile(file)) {
            throw new BenchException("TRACE must be a file or synthetic: trace=" + trace);
        }
        return TraceReader.read(file, limit);
    }

    private SimSetup.RouterKind routerKind() {
        return switch (router) {
            case "round-robin" -> SimSetup.RouterKind.ROUND_ROBIN;
            case "least-loaded" -> SimSetup.RouterKind.LEAST_LOADED;
            case "prefix" -> SimSetup.RouterKind.PREFIX;
            default ->
                    throw new BenchException(
                            "--router must be round-robin, least-loaded or prefix: router="
                                    + router);
        };
    }
}
