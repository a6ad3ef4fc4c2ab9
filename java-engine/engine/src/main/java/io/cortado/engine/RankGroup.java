package io.cortado.engine;

import io.cortado.api.EngineOptions;
import io.cortado.device.Device;
import io.cortado.device.Threads;
import io.cortado.gang.GangException;
import io.cortado.model.CausalLm;
import io.cortado.model.ModelConfig;
import io.cortado.model.Shard;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * The ranks of an engine with tensor-parallel-size, as the first of them sees them: those in this
 * process have a device and a thread each, which follow.
 */
final class RankGroup implements AutoCloseable {
    private static final String GPU = "cuda:";

    private final EngineOptions options;
    private final RankLinks[] here;
    private final List<Follower> followers = new ArrayList<>();
    private final List<Thread> threads = new ArrayList<>();
    private boolean isStarted;

    private RankGroup(EngineOptions options, RankLinks[] here) {
        this.options = options;
        this.here = here;
    }

    /**
     * Connects the first rank, and the others where all are in this process; null: one rank has the
     * whole model.
     */
    static @Nullable RankGroup of(
            EngineOptions options, ModelConfig config, GangConnector connector) {
        int size = options.tensorParallelSize();
        if (size == 1) {
            return null;
        }
        DeviceCollectives joining = joining(options, connector);
        boolean areAllHere = options.gang().worldSize() == 1;
        RankLinks[] here = new RankLinks[areAllHere ? size : 1];
        for (int rank = 0; rank < here.length; rank++) {
            here[rank] = connect(rank, options, config, connector, joining);
        }
        return new RankGroup(options, here);
    }

    private static RankLinks connect(
            int rank,
            EngineOptions options,
            ModelConfig config,
            GangConnector connector,
            @Nullable DeviceCollectives joining) {
        return new RankLinks(
                connector.connect(rank, options.tensorParallelSize(), config.describe()),
                TimeUnit.MILLISECONDS.toNanos(options.gang().timeoutMs()),
                joining);
    }

    /** Asked for before ranks meet: what is missing is told at once. */
    private static @Nullable DeviceCollectives joining(
            EngineOptions options, GangConnector connector) {
        return options.device().equals("cpu") ? null : connector.deviceCollectives(options);
    }

    /** Values of the largest sum of a step: a row of each token. */
    static long maxReduce(EngineOptions options, ModelConfig config) {
        return (long) options.maxNumBatchedTokens() * config.hiddenSize();
    }

    /**
     * Runs the rank of this process, which is not the first: loads its part and computes until the
     * first rank ends.
     *
     * @param options the same on all ranks, but for the rank, the threads, the isa and the number
     *     of a GPU
     * @throws GangException if a rank is lost, or runs something else
     */
    static void follow(
            Path folder,
            EngineOptions options,
            ModelConfig config,
            int maxModelLen,
            GangConnector connector) {
        DeviceCollectives joining = joining(options, connector);
        RankLinks ranks = connect(options.gang().rank(), options, config, connector, joining);
        boolean isOver = false;
        try (Follower follower =
                new Follower(options, config, ranks, options.device(), options.threads(), 1)) {
            follower.load(folder, maxModelLen);
            follower.allocate(
                    Agreement.blocks(ranks.transport(), options, config, follower.blocks()));
            follower.follow();
            isOver = true;
        } finally {
            if (!isOver) {
                ranks.abort("it could not go on");
            }
        }
    }

    Shard shard() {
        return here[0].shard();
    }

    /** Ranks that share a device's memory and the process's threads out. */
    int share() {
        return options.device().startsWith(GPU) ? 1 : here.length;
    }

    /** Threads of each device of this process. */
    int threadsEach() {
        if (share() == 1) {
            return options.threads();
        }
        int all =
                options.threads() == 0
                        ? Runtime.getRuntime().availableProcessors()
                        : options.threads();
        return Math.max(1, all / share());
    }

    /** Opens the devices of the other ranks of this process, and joins all ranks' devices. */
    void open(Device first, ModelConfig config) {
        RuntimeException failure;
        List<CompletableFuture<Follower>> others = new ArrayList<>();
        try (ExecutorService each =
                Executors.newThreadPerTaskExecutor(Thread.ofPlatform().daemon().factory())) {
            for (int i = 1; i < here.length; i++) {
                int rank = i;
                others.add(CompletableFuture.supplyAsync(() -> follower(rank, config), each));
            }
            failure = joinFirst(first, config);
        }
        for (CompletableFuture<Follower> other : others) {
            try {
                followers.add(other.join());
            } catch (CompletionException e) {
                failure = cause(failure, e.getCause());
            }
        }
        if (failure != null) {
            throw failure;
        }
    }

    /** Why it cannot be, which the others are told; null: it is. */
    private @Nullable RuntimeException joinFirst(Device device, ModelConfig config) {
        try {
            here[0].join(device, maxReduce(options, config));
            return null;
        } catch (RuntimeException e) {
            here[0].abort("the first rank could not join: " + e.getMessage());
            return e;
        }
    }

    private Follower follower(int rank, ModelConfig config) {
        return new Follower(
                options,
                config,
                here[rank],
                ExpertGang.deviceOf(options.device(), rank),
                threadsEach(),
                share());
    }

    /** What fails one rank has the others fail as lost ones; that is not why. */
    private static RuntimeException cause(
            @Nullable RuntimeException known, @Nullable Throwable other) {
        if (other instanceof Error error) {
            throw error;
        }
        if (known != null && !(known instanceof GangException)) {
            return known;
        }
        return other instanceof RuntimeException e ? e : new IllegalStateException(other);
    }

    /** Loads the parts of the other ranks of this process. */
    void load(Path folder, int maxModelLen) {
        followers.forEach(follower -> follower.load(folder, maxModelLen));
    }

    /**
     * Blocks that all ranks have room for; those of other processes are waited for.
     *
     * @param blocks that this one has room for
     */
    int agree(ModelConfig config, int blocks) {
        return here.length == here[0].size()
                ? blocks
                : Agreement.blocks(here[0].transport(), options, config, blocks);
    }

    /** Has the model's steps be computed with the others; before it allocates. */
    void join(CausalLm model, int numBlocks) {
        model.join(here[0].computed());
        for (Follower follower : followers) {
            follower.allocate(numBlocks);
        }
    }

    /** Has the other ranks of this process follow. */
    void start() {
        isStarted = true;
        for (Follower follower : followers) {
            threads.add(
                    Thread.ofPlatform()
                            .daemon()
                            .name("cortado-rank-" + follower.rank())
                            .start(follower::followQuietly));
        }
    }

    StepSender createSender(Device device, Limits limits, int maxBlocksPerSeq, int numBlocks) {
        return new StepSender(device, here[0], limits, maxBlocksPerSeq, numBlocks);
    }

    /** After the stream of this rank has ended: the others then end as well, or have ended. */
    @Override
    public void close() {
        if (isStarted) {
            here[0].end();
        }
        here[0].close();
        Threads.join(threads);
        followers.forEach(Follower::close);
        for (RankLinks each : here) {
            each.close();
        }
    }
}
