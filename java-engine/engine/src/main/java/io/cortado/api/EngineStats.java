package io.cortado.api;

/**
 * Counters of a running engine.
 *
 * @param running sequences in the batch
 * @param waiting sequences that wait for a place
 * @param blocksUsed KV blocks in use
 * @param blocksTotal KV blocks of the cache
 * @param steps steps run since the start
 * @param scheduledSeqs sum over the steps of the sequences in the batch
 * @param promptTokens prompt tokens computed since the start
 * @param generationTokens tokens sampled since the start
 * @param preemptions sequences thrown back to waiting since the start
 * @param hostNanos time of the loop's own work (schedule, submit, accept) since the start
 * @param cache the prefix cache
 */
public record EngineStats(
        int running,
        int waiting,
        int blocksUsed,
        int blocksTotal,
        long steps,
        long scheduledSeqs,
        long promptTokens,
        long generationTokens,
        long preemptions,
        long hostNanos,
        Cache cache) {
    /**
     * What the prefix cache holds and has done.
     *
     * @param keptBlocks blocks that nobody uses and that hold what may be asked for again
     * @param hostBlocks blocks kept in host memory
     * @param evictions blocks whose content had to go since the start
     * @param reusedTokens tokens that were found rather than computed since the start
     * @param tokensFromHost those of them that came back from host memory
     */
    public record Cache(
            int keptBlocks,
            int hostBlocks,
            long evictions,
            long reusedTokens,
            long tokensFromHost) {}

    /** Mean number of sequences in a step's batch. */
    public double meanBatch() {
        return steps == 0 ? 0 : (double) scheduledSeqs / steps;
    }
}
