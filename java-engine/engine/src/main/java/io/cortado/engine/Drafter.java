package io.cortado.engine;

import io.cortado.device.Stream;
import io.cortado.model.BatchInputs;

/** What drafts on the device, beside the target and on its stream. */
interface Drafter extends AutoCloseable {
    /**
     * A step of the target was enqueued: enqueues what goes along with it. Asked for each step.
     *
     * @param ofTarget what it reads
     */
    void follow(Batch batch, BatchInputs ofTarget, Stream stream);

    /** Drafts for sequences, as {@link Executor#draft}. */
    void draft(Sequence[] sequences, int count, Stream stream);

    /** After the stream has ended, and before the target is closed. */
    @Override
    void close();
}
