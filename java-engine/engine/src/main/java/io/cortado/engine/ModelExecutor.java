package io.cortado.engine;

import static java.lang.System.Logger.Level.INFO;

import io.cortado.device.Device;
import io.cortado.device.Event;
import io.cortado.device.ResourceStack;
import io.cortado.device.Stream;
import io.cortado.kv.KvCache;
import io.cortado.model.CausalLm;
import io.cortado.model.KvTiers;
import io.cortado.sampling.SampleState;

/** Runs batches on a device, on one stream, in two places that take turns. */
final class ModelExecutor implements Executor {
    private static final System.Logger LOG = System.getLogger(ModelExecutor.class.getName());
    private static final long FOR_A_WHILE_MS = 600_000;

    private final ResourceStack owned = new ResourceStack();
    private final Stream stream;
    private final long bytesPerBlock;
    private final int hostBlocks;
    private StepSlot next;
    private StepSlot last;

    /**
     * Owns the device and the model from here on; not if this throws.
     *
     * @param vocabSize ids that may be drawn; the model's logits may be wider
     * @param numBlocks blocks of the cache
     * @param hostBlocks blocks of its tier in host memory, if moving is faster than computing
     */
    ModelExecutor(
            Device device,
            CausalLm model,
            Limits limits,
            int vocabSize,
            int maxBlocksPerSeq,
            int numBlocks,
            int hostBlocks,
            TierRates.Rule rule) {
        // On the CPU a padded row is computed like any other.
        GraphSizes sizes = new GraphSizes(limits.maxNumSeqs(), !device.hostReachesMemory());
        bytesPerBlock = model.kvBytesPerBlock();
        ResourceStack made = new ResourceStack();
        boolean built = false;
        try {
            this.hostBlocks =
                    hostBlocks == 0 || rule == TierRates.Rule.ALWAYS
                            ? hostBlocks
                            : usefulHostBlocks(device, model, limits, numBlocks, hostBlocks);
            KvTiers tiers = model.createTiers(this.hostBlocks);
            made.push(tiers::close);
            SampleState state = new SampleState(device, limits.maxStates(), vocabSize);
            made.push(state::close);
            next =
                    new StepSlot(
                            device, model, tiers, limits, sizes, maxBlocksPerSeq, state, vocabSize);
            made.push(next::close);
            last =
                    new StepSlot(
                            device, model, tiers, limits, sizes, maxBlocksPerSeq, state, vocabSize);
            made.push(last::close);
            // Made last, closed first: it waits for the steps under way.
            stream = device.createStream();
            made.push(stream::close);
            built = true;
        } finally {
            if (!built) {
                made.close();
            }
        }
        owned.push(device::close);
        owned.push(model::close);
        owned.push(made::close);
    }

    /** All that were asked for, or none where it is faster to compute again what had to go. */
    private static int usefulHostBlocks(
            Device device, CausalLm model, Limits limits, int numBlocks, int hostBlocks) {
        try (KvTiers tiers = model.createTiers(hostBlocks);
                Event done = device.createEvent();
                Stream stream = device.createStream()) {
            TierRates rates =
                    TierRates.measure(model, tiers, stream, done, limits, numBlocks, hostBlocks);
            LOG.log(
                    INFO,
                    "KV blocks in host memory {0}: to move a block out and in takes {1} us,"
                            + " to compute it again {2} us",
                    rates.movingPays() ? "are used" : "would not pay and are not used",
                    rates.moveNanosPerBlock() / 1000.0,
                    rates.computeNanosPerBlock() / 1000.0);
            return rates.movingPays() ? hostBlocks : 0;
        }
    }

    /** Blocks of the tier in host memory. */
    int hostBlocks() {
        return hostBlocks;
    }

    @Override
    public void submit(Batch batch, KvCache cache) {
        StepSlot slot = next;
        slot.submit(batch, cache, last.tokens(), stream);
        next = last;
        last = slot;
    }

    @Override
    public void await(Batch batch) {
        StepSlot slot = last.holds(batch) ? last : next;
        while (!slot.await(FOR_A_WHILE_MS)) {
            LOG.log(INFO, "a step still runs"); // how long it may is the watchdog's to say
        }
        slot.read(batch);
    }

    @Override
    public long bytesPerBlock() {
        return bytesPerBlock;
    }

    @Override
    public void close() {
        owned.close();
    }
}
