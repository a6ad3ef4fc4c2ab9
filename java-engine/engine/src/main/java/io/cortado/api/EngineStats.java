package io.cortado.api;

import java.util.List;

/**
 * Counters of a running engine.
 *
 * @param running sequences in the batch
 * @param waiting sequences that wait for a place
 * @param deferred those of them that wait for the first answer of their request to compute the
 *     prompt
 * @param blocksUsed KV blocks in use
 * @param blocksTotal KV blocks of the cache
 * @param steps steps run since the start
 * @param scheduledSeqs sum over the steps of the sequences in the batch
 * @param promptTokens prompt tokens computed since the start
 * @param generationTokens tokens sampled since the start
 * @param preemptions sequences thrown back to waiting since the start
 * @param hostNanos time of the loop's own work (schedule, submit, accept) since the start
 * @param deviceNanos time of the steps since the start
 * @param stepTokens steps by their number of tokens, since the start
 * @param cache the KV cache and the prefixes in it
 * @param drafts what came of speculation
 * @param lateMasks what came of constraints whose masks took long
 * @param guards what keeps the engine safe from too much work and from a stuck device
 */
public record EngineStats(
        int running,
        int waiting,
        int deferred,
        int blocksUsed,
        int blocksTotal,
        long steps,
        long scheduledSeqs,
        long promptTokens,
        long generationTokens,
        long preemptions,
        long hostNanos,
        long deviceNanos,
        StepTokens stepTokens,
        Cache cache,
        Drafts drafts,
        LateMasks lateMasks,
        Guards guards) {

    /**
     * Steps by their number of tokens.
     *
     * @param counts steps of at most so many tokens as the bound of the same place in {@link
     *     #BOUNDS}, and more than the bound before it; the last counts those beyond all bounds
     * @param sum tokens over all steps
     */
    public record StepTokens(List<Long> counts, long sum) {
        /** vLLM's. */
        public static final List<Integer> BOUNDS =
                List.of(1, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384);

        public StepTokens {
            counts = List.copyOf(counts);
        }
    }

    /**
     * What the prefix cache holds and has done.
     *
     * @param blockTokens tokens in a KV block
     * @param keptBlocks blocks that nobody uses and that hold what may be asked for again
     * @param hostBlocks blocks kept in host memory
     * @param evictions blocks whose content had to go since the start
     * @param offloads those of them that went to host memory
     * @param queriedTokens tokens that the cache was asked for since the start
     * @param reusedTokens tokens that were found rather than computed since the start
     * @param tokensFromHost those of them that came back from host memory
     * @param diskBlocks blocks on disk
     * @param blocksFromDisk blocks that came back from the disk to host memory since the start
     */
    public record Cache(
            int blockTokens,
            int keptBlocks,
            int hostBlocks,
            long evictions,
            long offloads,
            long queriedTokens,
            long reusedTokens,
            long tokensFromHost,
            int diskBlocks,
            long blocksFromDisk) {}

    /**
     * What came of speculation since the start.
     *
     * @param verified drafts of any length that were verified, one a sequence and step
     * @param tokens tokens in them
     * @param accepted those of them that stood
     * @param acceptedAt how often the token at each place of a draft stood
     * @param draftNanos time that the proposer on the device took
     */
    public record Drafts(
            long verified, long tokens, long accepted, List<Long> acceptedAt, long draftNanos) {
        /** Without speculation. */
        public static final Drafts NONE = new Drafts(0, 0, 0, List.of(), 0);

        public Drafts {
            acceptedAt = List.copyOf(acceptedAt);
        }

        /** Tokens that a step of the target gives a sequence that is drafted for. */
        public double tokensPerStep() {
            return verified == 0 ? 1 : 1 + (double) accepted / verified;
        }
    }

    /**
     * Rows whose mask was not made when their step would not wait any longer, since the start.
     *
     * @param held rows that were not drawn: their answers sat out until there was a mask
     * @param kept rows drawn without it whose token the constraint allows
     * @param redrawn rows drawn without it whose token was thrown away
     */
    public record LateMasks(long held, long kept, long redrawn) {
        /** None was late. */
        public static final LateMasks NONE = new LateMasks(0, 0, 0);
    }

    /**
     * What keeps the engine safe from too much work and from a stuck device.
     *
     * @param waitingTokens tokens of prompts that wait to run for the first time
     * @param refusedByRequests requests refused because too many waited, since the start
     * @param refusedByTokens requests refused because too many tokens waited, since the start
     * @param unread requests cancelled because nobody read their output, since the start
     * @param stepAgeNanos time that the step under way has taken so far; 0 for one that began a
     *     moment ago
     * @param isStepSlow it has taken half of what a step may take, or more
     * @param slowSteps steps that became slow, since the start
     */
    public record Guards(
            long waitingTokens,
            long refusedByRequests,
            long refusedByTokens,
            long unread,
            long stepAgeNanos,
            boolean isStepSlow,
            long slowSteps) {}

    /** Mean number of sequences in a step's batch. */
    public double meanBatch() {
        return steps == 0 ? 0 : (double) scheduledSeqs / steps;
    }
}
