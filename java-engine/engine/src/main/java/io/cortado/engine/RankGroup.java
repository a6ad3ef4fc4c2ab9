package io.cortado.engine;

import io.cortado.api.EngineOptions;
import io.cortado.device.Device;
import io.cortado.device.Threads;
import io.cortado.gang.Collectives;
import io.cortado.gang.GangException;
import io.cortado.gang.HostCollectives;
import io.cortado.gang.Transport;
import io.cortado.model.CausalLm;
import io.cortado.model.ModelConfig;
import io.cortado.model.Shard;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * The ranks of an engine with tensor-parallel-size, as the first of them sees them: those in this
 * process have a device and a thread each, which follow.
 */
final class RankGroup implements AutoCloseable {
    private final EngineOptions options;
    private final Transport[] here;
    private final long deadlineNanos;
    private final HostCollectives collectives;
    private final List<Follower> followers = new ArrayList<>();
    private final List<Thread> threads = new ArrayList<>();

    private RankGroup(EngineOptions options, Transport[] here, long deadlineNanos) {
        this.options = options;
        this.here = here;
        this.deadlineNanos = deadlineNanos;
        collectives = new HostCollectives(here[0], deadlineNanos);
    }

    /**
     * Connects the first rank, and the others where all are in this process; null: one rank has the
     * whole model.
     */
    static @Nullable RankGroup of(
            EngineOptions options, ModelConfig config, GangConnector connector) {
        String model = config.describe();
        int size = options.tensorParallelSize();
        if (size == 1) {
            return null;
        }
        boolean areAllHere = options.gang().worldSize() == 1;
        Transport[] here = new Transport[areAllHere ? size : 1];
        for (int rank = 0; rank < here.length; rank++) {
            here[rank] = connector.connect(rank, size, model);
        }
        return new RankGroup(options, here, deadlineNanos(options));
    }

    private static long deadlineNanos(EngineOptions options) {
        return TimeUnit.MILLISECONDS.toNanos(options.gang().timeoutMs());
    }

    /**
     * Runs the rank of this process, which is not the first: loads its part and computes until the
     * first rank ends.
     *
     * @param options the same on all ranks, but for the rank, the threads and the isa
     * @throws GangException if a rank is lost, or runs something else
     */
    static void follow(
            Path folder,
            EngineOptions options,
            ModelConfig config,
            int maxModelLen,
            GangConnector connector) {
        Transport transport =
                connector.connect(
                        options.gang().rank(), options.tensorParallelSize(), config.describe());
        boolean isOver = false;
        try (Follower follower =
                new Follower(
                        folder,
                        options,
                        config,
                        maxModelLen,
                        transport,
                        deadlineNanos(options),
                        options.threads(),
                        1)) {
            follower.allocate(Agreement.blocks(transport, options, config, follower.blocks()));
            follower.follow();
            isOver = true;
        } finally {
            if (!isOver) {
                transport.abort("it could not go on");
            }
        }
    }

    Shard shard() {
        return new Shard(here[0].rank(), here[0].size());
    }

    /** Ranks that share this process's memory and threads out. */
    int share() {
        return here.length;
    }

    /** Threads of each device of this process. */
    int threadsEach() {
        if (here.length == 1) {
            return options.threads();
        }
        int all =
                options.threads() == 0
                        ? Runtime.getRuntime().availableProcessors()
                        : options.threads();
        return Math.max(1, all / here.length);
    }

    /** Loads the parts of the other ranks of this process. */
    void load(Path folder, ModelConfig config, int maxModelLen) {
        for (int rank = 1; rank < here.length; rank++) {
            followers.add(
                    new Follower(
                            folder,
                            options,
                            config,
                            maxModelLen,
                            here[rank],
                            deadlineNanos,
                            threadsEach(),
                            share()));
        }
    }

    /**
     * Blocks that all ranks have room for; those of other processes are waited for.
     *
     * @param blocks that this one has room for
     */
    int agree(ModelConfig config, int blocks) {
        return here.length == here[0].size()
                ? blocks
                : Agreement.blocks(here[0], options, config, blocks);
    }

    /** Has the model's steps be computed with the others; before it allocates. */
    void join(CausalLm model, int numBlocks) {
        model.join(collectives);
        for (Follower follower : followers) {
            follower.allocate(numBlocks);
        }
    }

    /** Has the other ranks of this process follow. */
    void start() {
        for (Follower follower : followers) {
            threads.add(
                    Thread.ofPlatform()
                            .daemon()
                            .name("cortado-rank-" + follower.rank())
                            .start(follower::followQuietly));
        }
    }

    StepSender createSender(Device device, Limits limits, int maxBlocksPerSeq, int numBlocks) {
        Collectives all = collectives;
        return new StepSender(device, all, deadlineNanos, limits, maxBlocksPerSeq, numBlocks);
    }

    /** After the stream of this rank has ended: the others then end as well, or have ended. */
    @Override
    public void close() {
        collectives.close();
        Threads.join(threads);
        followers.forEach(Follower::close);
        for (int rank = 1 + followers.size(); rank < here.length; rank++) {
            here[rank].close();
        }
    }
}
