package io.cortado.engine;

import io.cortado.device.Device;
import io.cortado.device.ResourceStack;
import io.cortado.device.Stream;
import io.cortado.kv.KvCache;
import io.cortado.model.CausalLm;
import io.cortado.model.KvTiers;

/** Runs batches on a device, on one stream, in two places that take turns. */
final class ModelExecutor implements Executor {
    private static final long STALL_MS = 600_000;

    private final ResourceStack owned = new ResourceStack();
    private final Stream stream;
    private StepSlot next;
    private StepSlot last;

    /**
     * Owns the device and the model from here on; not if this throws.
     *
     * @param hostBlocks blocks of the cache's tier in host memory
     */
    ModelExecutor(
            Device device, CausalLm model, Limits limits, int maxBlocksPerSeq, int hostBlocks) {
        // On the CPU a padded row is computed like any other.
        GraphSizes sizes = new GraphSizes(limits.maxNumSeqs(), !device.hostReachesMemory());
        ResourceStack made = new ResourceStack();
        boolean built = false;
        try {
            KvTiers tiers = model.createTiers(hostBlocks);
            made.push(tiers::close);
            next = new StepSlot(device, model, tiers, limits, sizes, maxBlocksPerSeq);
            made.push(next::close);
            last = new StepSlot(device, model, tiers, limits, sizes, maxBlocksPerSeq);
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
        if (!slot.await(STALL_MS)) {
            throw new IllegalStateException("the device is stalled: waitedMs=" + STALL_MS);
        }
        slot.read(batch);
    }

    @Override
    public void close() {
        owned.close();
    }
}
