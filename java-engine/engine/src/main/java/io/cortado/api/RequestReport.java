package io.cortado.api;

/**
 * What the engine recorded about one request: where its time went and what it has cost. Numbers
 * only: nothing of the prompt or the output.
 *
 * @param id the caller's name for it ({@link GenerationRequest#id}); several requests may share one
 * @param number place in the order of arrival, from 0; the number that JFR events carry
 * @param arrivalMillis when it came, since the epoch
 * @param tenant as in {@link Scheduling}
 * @param outcome {@code waiting}, {@code running}, or why the answer that ended last has ended:
 *     {@code stop}, {@code length}, {@code abort}, or the code of a failure in lower case
 * @param promptTokens tokens of the prompt
 * @param answers answers asked for
 * @param timings as in {@link GenerationEvent.Completed}; of a live request up to now
 * @param queue the wait for its first step
 * @param prefill the computation of the prompt
 * @param decode the steps that drew tokens
 * @param drafts what speculative decoding has drafted for it
 * @param preemption what being thrown out has cost
 * @param cost its part of the engine's work
 */
public record RequestReport(
        String id,
        long number,
        long arrivalMillis,
        String tenant,
        String outcome,
        int promptTokens,
        int answers,
        Timings timings,
        Queue queue,
        Prefill prefill,
        Decode decode,
        Drafts drafts,
        Preemption preemption,
        Cost cost) {

    /**
     * The wait for the first step: first for the step under way to end, then for what admission was
     * short of. Times are in nanoseconds; what is left of the wait was its policy's order.
     *
     * @param waitingAhead sequences that waited when it came
     * @param runningAhead sequences that ran when it came
     * @param admitted sequences that started while it waited
     * @param steps steps that were chosen while it waited
     * @param placesNanos all places of running sequences were taken
     * @param blocksNanos KV blocks were short
     * @param budgetNanos the steps' token budget was used up
     * @param promptTokens prompt tokens that were computed for others
     * @param outputTokens tokens that were drawn for others
     */
    public record Queue(
            int waitingAhead,
            int runningAhead,
            long admitted,
            long steps,
            long placesNanos,
            long blocksNanos,
            long budgetNanos,
            long promptTokens,
            long outputTokens) {}

    /**
     * The computation of the prompt, over all answers; after a preemption also of the output.
     *
     * @param cachedTokens prompt tokens that the cache held when it first ran
     * @param hostTokens those of them that came back from host memory
     * @param chunks steps that computed a part
     * @param tokens tokens computed in them
     * @param stepTokens tokens of these steps, those of others included
     * @param maxOthers most other prompts that one of these steps also worked on
     * @param nanos time of these steps
     */
    public record Prefill(
            int cachedTokens,
            int hostTokens,
            int chunks,
            long tokens,
            long stepTokens,
            int maxOthers,
            long nanos) {}

    /**
     * Steps that computed one token of it, over all answers.
     *
     * @param steps all of them
     * @param nanos their time
     * @param mixedSteps those that also computed prompts of others
     * @param mixedNanos the time of these
     * @param slowest the longest one; all zero where there was none
     */
    public record Decode(
            int steps, long nanos, int mixedSteps, long mixedNanos, SlowestStep slowest) {}

    /**
     * One step.
     *
     * @param nanos its time
     * @param seqs sequences in it
     * @param tokens tokens in it
     * @param promptTokens those of them that belong to prompts
     */
    public record SlowestStep(long nanos, int seqs, int tokens, int promptTokens) {}

    /**
     * Drafts for it that were verified, over all answers.
     *
     * @param verified steps that verified one
     * @param tokens tokens of all drafts
     * @param accepted those of them that the target drew
     */
    public record Drafts(int verified, int tokens, int accepted) {}

    /**
     * Being thrown out for want of KV blocks.
     *
     * @param count times, over all answers
     * @param waitedNanos time until it ran again
     * @param recomputedTokens tokens that were computed a second time
     */
    public record Preemption(int count, long waitedNanos, long recomputedTokens) {}

    /**
     * Its part of the engine's work.
     *
     * @param deviceNanos of the time of each step its part by tokens
     * @param kvByteSeconds bytes of KV blocks times the time for which it held them, while steps
     *     ran; a block that requests share counts for each of them
     */
    public record Cost(long deviceNanos, double kvByteSeconds) {}
}
