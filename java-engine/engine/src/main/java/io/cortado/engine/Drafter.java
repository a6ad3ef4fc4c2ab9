package io.cortado.engine;

import io.cortado.device.Stream;
import io.cortado.kv.KvCache;
import io.cortado.model.BatchInputs;
import io.cortado.model.CausalLm;
import io.cortado.model.KvTiers;

/** What drafts on the device, beside the target and on its stream. */
interface Drafter extends AutoCloseable {
    /** Blocks are moved before the next step: what they hold here is moved with it. */
    void moved(KvCache cache);

    /**
     * A step of the target was enqueued: enqueues what goes along with it. Asked for each step.
     *
     * @param ofTarget what it reads
     */
    void follow(Batch batch, BatchInputs ofTarget, Stream stream);

    /** The target's blocks with what lies in those of the same numbers here. */
    KvTiers createTiers(CausalLm target, int hostBlocks);

    /** Bytes that it adds to a block. */
    long kvBytesPerBlock();

    /** Drafts for sequences, as {@link Executor#draft}. */
    void draft(Sequence[] sequences, int count, Stream stream);

    /** After the stream has ended, and before the target is closed. */
    @Override
    void close();
}
