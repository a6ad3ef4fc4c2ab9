package io.cortado.engine;

import static java.lang.System.Logger.Level.DEBUG;
import static java.lang.System.Logger.Level.WARNING;

import io.cortado.api.EngineOptions;
import io.cortado.device.Device;
import io.cortado.device.Placement;
import io.cortado.device.ResourceStack;
import io.cortado.gang.GangException;
import io.cortado.gang.HostCollectives;
import io.cortado.gang.Transport;
import io.cortado.model.Activations;
import io.cortado.model.CausalLm;
import io.cortado.model.ModelConfig;
import io.cortado.model.Shard;
import io.cortado.model.WeightPlan;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * A rank that computes its part of every step that the first rank tells it. Opened and readied by
 * one thread; another may {@link #follow}.
 */
final class Follower implements AutoCloseable {
    private static final System.Logger LOG = System.getLogger(Follower.class.getName());

    private final ResourceStack owned = new ResourceStack();
    private final EngineOptions options;
    private final ModelConfig part;
    private final HostCollectives ranks;
    private final Device device;
    private final MemoryPlan memory;
    private final CausalLm model;
    private final long free;
    private @Nullable StepReceiver steps;

    /**
     * Loads a rank's part.
     *
     * @param config of the whole model
     * @param transport of this rank; closed with this, also if this throws
     * @param threads of its device
     * @param share ranks that share the device's memory out
     */
    Follower(
            Path folder,
            EngineOptions options,
            ModelConfig config,
            int maxModelLen,
            Transport transport,
            long deadlineNanos,
            int threads,
            int share) {
        this.options = options;
        ranks = new HostCollectives(transport, deadlineNanos);
        owned.push(ranks::close);
        boolean isLoaded = false;
        try {
            part = config.shard(new Shard(transport.rank(), transport.size()));
            device = Device.open(options.device(), threads, options.isa());
            owned.push(device::close);
            Placement placement = Placement.on(device);
            boolean isDummy = options.dummyWeights();
            Activations activations = MemoryPlan.activations(options);
            WeightPlan weights = WeightPlan.read(placement, folder, part, activations, isDummy);
            memory = MemoryPlan.of(placement, part, weights, options, maxModelLen);
            free = device.info().freeMemoryBytes() / share;
            memory.beforeLoading(free);
            model =
                    CausalLm.load(
                            device, folder, part, activations, MemoryPlan.kvType(options), isDummy);
            owned.push(model::close);
            isLoaded = true;
        } finally {
            if (!isLoaded) {
                owned.close();
            }
        }
    }

    /** Blocks of the KV cache that it has room for. */
    int blocks() {
        return memory.afterLoading(free, device.info().freeMemoryBytes()).blocks();
    }

    /** Makes what steps compute in. */
    void allocate(int numBlocks) {
        Limits limits = Limits.of(options, part, numBlocks);
        model.join(ranks);
        model.allocate(
                numBlocks,
                limits.maxTables(),
                limits.maxNumBatchedTokens(),
                memory.blocksPerSeq(),
                limits.maxRows(),
                options.deterministic());
        StepReceiver made =
                new StepReceiver(device, model, ranks, limits, memory.blocksPerSeq(), numBlocks);
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
            LOG.log(DEBUG, "rank {0} ends: {1}", ranks.rank(), e.getMessage());
        } catch (RuntimeException | Error e) {
            LOG.log(WARNING, "rank " + ranks.rank() + " has failed", e);
        }
    }

    int rank() {
        return ranks.rank();
    }

    /** After {@link #follow} has returned. */
    @Override
    public void close() {
        owned.close();
    }
}
