package io.cortado.engine;

import static java.lang.System.Logger.Level.ERROR;
import static java.lang.System.Logger.Level.INFO;

import io.cortado.api.EngineException;
import io.cortado.api.EngineOptions;
import io.cortado.api.GangOptions;
import io.cortado.api.RankTimes;
import io.cortado.device.Device;
import io.cortado.device.ResourceStack;
import io.cortado.gang.GangException;
import io.cortado.gang.Transport;
import io.cortado.model.ExpertShard;
import io.cortado.model.ModelConfig;
import io.cortado.moe.ExpertBalancer;
import io.cortado.moe.ExpertLink;
import io.cortado.moe.ExpertPlacement;
import io.cortado.moe.ExpertRanks;
import io.cortado.moe.MicroBatching;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import org.jspecify.annotations.Nullable;

/**
 * What this process is in a gang that computes a model's experts: its link, where it runs
 * attention, and the ranks with experts that it is as well, each with a device of its own, or on
 * the CPU with the one of attention: they compute in turns.
 */
final class ExpertGang implements AutoCloseable {
    private static final System.Logger LOG = System.getLogger(ExpertGang.class.getName());
    private static final long NANOS_PER_MS = 1_000_000;

    /** Of an exchange, for what ranks load before their first one. */
    private static final int START_TIMEOUTS = 20;

    private final EngineOptions options;
    private final Path folder;
    private final ModelConfig config;
    private final ExpertRanks ranks;
    private final List<ExpertPlacement> placements;
    private final GangConnector connector;

    /** What all ranks of this process compute on; null: each opens its own. */
    private final @Nullable Device shared;

    private final ResourceStack owned = new ResourceStack();
    private final List<CompletableFuture<Void>> workers = new ArrayList<>();
    private final List<ExpertLink> links = new ArrayList<>();
    private @Nullable ExpertLink link;

    private ExpertGang(
            EngineOptions options,
            Path folder,
            ModelConfig config,
            GangConnector connector,
            @Nullable Device device) {
        this.options = options;
        this.folder = folder;
        this.config = config;
        this.connector = connector;
        GangOptions gang = options.gang();
        // Of two micro-batches one is computed while the other is with experts: on other threads.
        boolean takesTurns = gang.worldSize() == 1 && microBatching(gang) == MicroBatching.ONE;
        shared = takesTurns && device != null && device.hostReachesMemory() ? device : null;
        ranks = new ExpertRanks(gang.numAttention(), gang.numExperts());
        placements = placements(gang, config);
    }

    /**
     * Connects with the other ranks, and starts those with experts of this process.
     *
     * @param device of the attention that this process runs; null: it runs none
     * @throws EngineException INVALID_REQUEST if the model has no experts, or cannot be shared so
     * @throws GangException if ranks do not come together
     */
    static ExpertGang open(
            EngineOptions options,
            Path folder,
            ModelConfig config,
            GangConnector connector,
            @Nullable Device device) {
        requireExperts(options, config);
        ExpertGang gang = new ExpertGang(options, folder, config, connector, device);
        boolean isOpen = false;
        try {
            gang.start();
            isOpen = true;
            return gang;
        } finally {
            if (!isOpen) {
                gang.close();
            }
        }
    }

    private static void requireExperts(EngineOptions options, ModelConfig config) {
        GangOptions gang = options.gang();
        String option = gang.expertRanks() > 0 ? "expert-ranks" : "expert-parallel-size";
        if (!config.hasExperts()) {
            throw EngineException.invalid(
                    option,
                    "%s is for models with experts, and %s has none: %s=%d"
                            .formatted(option, config.architecture(), option, gang.numExperts()));
        }
        if (gang.worldSize() == 1 && gang.numAttention() > 1) {
            throw EngineException.invalid(
                    "attention-ranks",
                    "attention-ranks above 1 serve in a process each: attention-ranks=%d WORLD_SIZE=1"
                            .formatted(gang.attentionRanks()));
        }
        if (!options.expertDevice().isEmpty()) {
            throw EngineException.invalid(
                    "expert-device",
                    "experts are on ranks of their own or on a device of their own:"
                            + " expert-device=%s %s=%d"
                                    .formatted(options.expertDevice(), option, gang.numExperts()));
        }
    }

    /** The same on all ranks: experts in order, or copies as if all were chosen alike. */
    static List<ExpertPlacement> placements(GangOptions gang, ModelConfig config) {
        int redundant = gang.redundantExperts();
        List<ExpertPlacement> linear = ExpertShard.linear(config, gang.numExperts());
        if (redundant == 0 && gang.rebalanceSeconds() == 0) {
            return linear;
        }
        ExpertPlacement first = linear.getFirst();
        int layers = linear.size();
        if ((first.numExperts() + redundant) % gang.numExperts() != 0) {
            throw EngineException.invalid(
                    redundant > 0 ? "redundant-experts" : "rebalance-s",
                    "with redundant-experts or rebalance-s, experts and redundant-experts together"
                            + " must be a multiple of the ranks with experts:"
                            + " experts=%d redundant-experts=%d ranks=%d"
                                    .formatted(first.numExperts(), redundant, gang.numExperts()));
        }
        ExpertBalancer balancer = balancer(gang, config);
        if (redundant == 0) {
            return linear;
        }
        long[] alike = new long[first.numExperts()];
        Arrays.fill(alike, 1);
        return Collections.nCopies(layers, balancer.plan(alike));
    }

    private static ExpertBalancer balancer(GangOptions gang, ModelConfig config) {
        int nodes = gang.expertNodes();
        int groups = nodes == 1 ? 1 : ExpertShard.groups(config);
        if (gang.numExperts() % nodes != 0
                || gang.redundantExperts() % nodes != 0
                || groups % nodes != 0) {
            throw EngineException.invalid(
                    "expert-nodes",
                    "expert-nodes must divide the ranks with experts, redundant-experts and the"
                            + " model's groups of experts: expert-nodes=%d ranks=%d"
                                    .formatted(nodes, gang.numExperts())
                            + " redundant-experts=%d groups=%d"
                                    .formatted(gang.redundantExperts(), groups));
        }
        return new ExpertBalancer(gang.numExperts(), gang.redundantExperts(), nodes, groups);
    }

    private void start() {
        GangOptions gang = options.gang();
        boolean isOne = gang.worldSize() == 1;
        List<CompletableFuture<ExpertLink>> connecting = new ArrayList<>();
        for (int rank = 0; rank < ranks.size(); rank++) {
            if (isOne || processOf(rank) == gang.rank()) {
                int ofGang = rank;
                CompletableFuture<ExpertLink> connected = new CompletableFuture<>();
                connecting.add(connected);
                if (rank < ranks.attention()) {
                    Thread.ofPlatform()
                            .name("gang-connect")
                            .daemon()
                            .start(() -> connect(ofGang, connected));
                } else {
                    CompletableFuture<Void> ended = new CompletableFuture<>();
                    workers.add(ended);
                    Thread.ofPlatform()
                            .name("expert-rank-" + (rank - ranks.attention()))
                            .daemon()
                            .start(() -> work(ofGang, connected, ended));
                }
            }
        }
        try {
            for (CompletableFuture<ExpertLink> connected : connecting) {
                ExpertLink made = connected.join();
                if (link == null && gang.serves()) {
                    link = made; // the first is the one with attention
                }
                links.add(made);
                owned.push(made::close);
            }
        } catch (CompletionException e) {
            throw e.getCause() instanceof RuntimeException cause ? cause : e;
        }
    }

    /** Ranks with attention are the first processes; experts are beside them or behind them. */
    private int processOf(int rank) {
        boolean isApart = options.gang().expertRanks() > 0;
        return rank < ranks.attention() || isApart ? rank : rank - ranks.attention();
    }

    private void connect(int rank, CompletableFuture<ExpertLink> connected) {
        try {
            Transport transport = connector.connect(rank, ranks.size(), config.describe());
            connected.complete(
                    new ExpertLink(
                            transport,
                            ranks,
                            placements,
                            microBatching(options.gang()),
                            options.gang().timeoutMs() * NANOS_PER_MS,
                            START_TIMEOUTS * options.gang().timeoutMs() * NANOS_PER_MS));
        } catch (RuntimeException | Error e) {
            connected.completeExceptionally(e);
        }
    }

    private static MicroBatching microBatching(GangOptions gang) {
        return switch (gang.microBatches()) {
            case GangOptions.AUTO_MICRO_BATCHES -> MicroBatching.MEASURED;
            case 1 -> MicroBatching.ONE;
            default -> MicroBatching.TWO;
        };
    }

    /** What a rank with experts does, to its end. */
    private void work(
            int rank, CompletableFuture<ExpertLink> connected, CompletableFuture<Void> ended) {
        connect(rank, connected);
        ExpertLink own = null;
        try {
            own = connected.join();
            serve(own, rank - ranks.attention());
            ended.complete(null);
        } catch (RuntimeException | Error e) {
            if (own != null) {
                LOG.log(ERROR, "rank {0} with experts has ended: {1}", rank, e.getMessage());
                own.abort(String.valueOf(e.getMessage()));
            }
            ended.completeExceptionally(e);
        }
    }

    private void serve(ExpertLink own, int expertRank) {
        Device here = shared;
        if (here != null) {
            serve(own, expertRank, here);
            return;
        }
        boolean isOne = options.gang().worldSize() == 1;
        int threads = options.threads();
        if (isOne && threads == 0) {
            threads = Math.max(1, Runtime.getRuntime().availableProcessors() / ranks.experts());
        }
        String name = isOne ? deviceOf(options.device(), expertRank) : options.device();
        try (Device device = Device.open(name, threads, options.isa())) {
            serve(own, expertRank, device);
        }
    }

    private void serve(ExpertLink own, int expertRank, Device device) {
        try (ExpertShard shard =
                ExpertShard.load(
                        device,
                        folder,
                        config,
                        MemoryPlan.activations(options),
                        options.dummyWeights(),
                        placements,
                        expertRank)) {
            LOG.log(
                    INFO,
                    "rank {0} with experts: {1} bytes of them on {2}",
                    expertRank,
                    shard.bytes(),
                    device.info().describe());
            shard.serve(own);
        }
    }

    /** Of one process: GPUs count up from the one of rank 0, other devices are opened again. */
    static String deviceOf(String first, int rank) {
        if (!first.startsWith("cuda:")) {
            return first;
        }
        return "cuda:" + (Integer.parseInt(first.substring("cuda:".length())) + rank);
    }

    /** Of the rank with attention that this process is. */
    ExpertLink link() {
        ExpertLink mine = link;
        if (mine == null) {
            throw new IllegalStateException("this process runs no attention");
        }
        return mine;
    }

    /** What moves experts while this process serves; null: nothing does, or another rank. */
    @Nullable ExpertMoves balance() {
        GangOptions gang = options.gang();
        return gang.rebalanceSeconds() == 0 || gang.rank() != 0
                ? null
                : new ExpertMoves(
                        link()::placements,
                        link()::propose,
                        balancer(gang, config),
                        gang.rebalanceSeconds() * 1000L * NANOS_PER_MS,
                        System::nanoTime);
    }

    /**
     * How often a rank that has no requests takes part. Where others may have some, they wait for
     * it; else it is only to be heard of.
     */
    long tickNanos() {
        return ranks.attention() > 1 ? NANOS_PER_MS : options.gang().timeoutMs() * NANOS_PER_MS / 4;
    }

    /** Of the ranks of this process. Any thread. */
    List<RankTimes> times() {
        return links.stream()
                .map(of -> new RankTimes(of.rank(), of.holdsExperts(), of.waitedNanos()))
                .toList();
    }

    /** In words. */
    String describe() {
        String steps =
                switch (microBatching(options.gang())) {
                    case ONE -> "";
                    case TWO -> ", steps in 2 micro-batches";
                    case MEASURED -> ", steps in 1 or 2 micro-batches";
                };
        return "experts on %d ranks%s".formatted(ranks.experts(), steps);
    }

    /**
     * Waits until the ranks with experts of this process have ended.
     *
     * @throws GangException if one has failed
     */
    void await() {
        for (CompletableFuture<Void> worker : workers) {
            try {
                worker.join();
            } catch (CompletionException e) {
                throw e.getCause() instanceof RuntimeException why ? why : e;
            }
        }
    }

    /** After the model, which has told the others that it ends. */
    @Override
    public void close() {
        if (link != null && workers.stream().anyMatch(worker -> !worker.isDone())) {
            link.end();
        }
        for (CompletableFuture<Void> worker : workers) {
            worker.exceptionally(_ -> null).join();
        }
        owned.close();
    }
}
