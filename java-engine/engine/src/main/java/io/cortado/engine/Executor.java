package io.cortado.engine;

/** Runs batches. The simulated one of the tests and the one on a device keep the same contract. */
interface Executor extends AutoCloseable {

    /** Starts a batch; only enqueues. */
    void submit(Batch batch);

    /**
     * Waits for the submitted batch and fills its token, logprob, rank, status and top arrays.
     *
     * @throws RuntimeException if the device has failed: nothing can run after that
     */
    void await(Batch batch);

    @Override
    void close();
}
