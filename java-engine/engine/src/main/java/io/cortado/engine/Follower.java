package io.cortado.engine;

import static java.lang.System.Logger.Level.DEBUG;
import static java.lang.System.Logger.Level.WARNING;

import io.cortado.api.EngineOptions;
import io.cortado.device.Device;
import io.cortado.device.Placement;
import io.cortado.device.ResourceStack;
import io.cortado.gang.GangException;
import io.cortado.model.Activations;
import io.cortado.model.CausalLm;
import io.cortado.model.ModelConfig;
import io.cortado.model.WeightPlan;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * A rank that computes its part of every step that the first rank tells it. Opened and readied by
 * one thread at a time; another may {@link #follow}.
 */
final class Follower implements AutoCloseable {
    private static final System.Logger LOG = System.getLogger(Follower.class.getName());

    private final ResourceStack owned = new ResourceStack();
    private final EngineOptions options;
    private final ModelConfig part;
    private final RankLinks ranks;
    private final Device device;
    private final long free;
    private @Nullable MemoryPlan memory;
    private @Nullable CausalLm model;
    private @Nullable StepReceiver steps;

    /**
     * Opens the rank's device and joins it to the others'.
     *
     * @param config of the whole model
     * @param ranks of this rank; closed with this, also if this throws
     * @param threads of its device
     * @param share ranks that share the device's memory out
     */
    Follower(
            EngineOptions options,
            ModelConfig config,
            RankLinks ranks,
            String deviceName,
            int threads,
            int share) {
        this.options = options;
        this.ranks = ranks;
        boolean isOpen = false;
        try {
            part = config.shard(ranks.shard());
            device = Device.open(deviceName, threads, options.isa());
            owned.push(device::close);
            owned.push(ranks::close);
            ranks.join(device, RankGroup.maxReduce(options, config));
            free = device.info().freeMemoryBytes() / share;
            isOpen = true;
        } finally {
            if (!isOpen) {
                ranks.close();
                owned.close();
            }
        }
    }

    /** Loads the rank's part. */
    void load(Path folder, int maxModelLen) {
        Placement placement = Placement.on(device);
        boolean isDummy = options.dummyWeights();
        Activations activations = MemoryPlan.activations(options);
        WeightPlan weights = WeightPlan.read(placement, folder, part, activations, isDummy);
        MemoryPlan planned = MemoryPlan.of(placement, part, weights, options, maxModelLen);
        planned.beforeLoading(free);
        CausalLm loaded =
                CausalLm.load(
                        device, folder, part, activations, MemoryPlan.kvType(options), isDummy);
        owned.push(loaded::close);
        memory = planned;
        model = loaded;
    }

    /** Blocks of the KV cache that it has room for. */
    int blocks() {
        return loaded(memory).afterLoading(free, device.info().freeMemoryBytes()).blocks();
    }

    private static <T> T loaded(@Nullable T made) {
        if (made == null) {
            throw new IllegalStateException("call load first");
        }
        return made;
    }

    /** Makes what steps compute in. */
    void allocate(int numBlocks) {
        Limits limits = Limits.of(options, part, numBlocks);
        CausalLm joined = loaded(model);
        int blocksPerSeq = loaded(memory).blocksPerSeq();
        joined.join(ranks.computed());
        joined.allocate(
                numBlocks,
                limits.maxTables(),
                limits.maxNumBatchedTokens(),
                blocksPerSeq,
                limits.maxRows(),
                options.deterministic());
        StepReceiver made =
                new StepReceiver(device, joined, ranks, limits, blocksPerSeq, numBlocks);
        owned.push(made::close);
        steps = made;
    }

    /**
     * Computes until the first rank says that it is over. What goes wrong here ends the gang.
     *
     * @throws GangException if a rank is lost
     */
    void follow() {
        StepReceiver allocated = steps;
        if (allocated == null) {
            throw new IllegalStateException("call allocate first");
        }
        try {
            allocated.run();
            ranks.end();
        } catch (GangException e) {
            throw e;
        } catch (RuntimeException | Error e) {
            ranks.abort("it has failed: " + e);
            throw e;
        }
    }

    /** The same as a thread's work: the first rank tells of the end. */
    void followQuietly() {
        try {
            follow();
        } catch (GangException e) {
            LOG.log(DEBUG, "rank {0} ends: {1}", ranks.shard().rank(), e.getMessage());
        } catch (RuntimeException | Error e) {
            LOG.log(WARNING, "rank " + ranks.shard().rank() + " has failed", e);
        }
    }

    int rank() {
        return ranks.shard().rank();
    }

    /** After {@link #follow} has returned. */
    @Override
    public void close() {
        owned.close();
    }
}
