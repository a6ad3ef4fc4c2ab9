package io.cortado.engine;

import io.cortado.api.EngineOptions;
import org.jspecify.annotations.Nullable;

/**
 * Waiting sequences in the order of a policy. A look goes through the first of them, passing over
 * what does not fit: {@link #begin}, then {@link #next} and perhaps {@link #take} in turn, then
 * {@link #end}. For one thread; looks allocate nothing and cost the same however many wait.
 */
interface AdmissionQueue {
    /** Sequences that a look passes over at most, so that a long queue costs no more. */
    int SCAN = 32;

    /** The one of the policy that is asked for. */
    static AdmissionQueue of(EngineOptions options) {
        return switch (options.schedulingPolicy()) {
            case FCFS -> OrderedQueue.fcfs();
            case PRIORITY -> OrderedQueue.priority();
            case DEADLINE -> OrderedQueue.deadline();
            case FAIR -> new FairQueue(options.tenantWeights());
        };
    }

    int size();

    /** Adds a new sequence, or one that was thrown out. */
    void add(Sequence sequence);

    /** Removes a sequence if it waits here. */
    boolean remove(Sequence sequence);

    void begin();

    /** The next in order; null after the last or after {@link #SCAN} that were not taken. */
    @Nullable Sequence next();

    /** Removes what {@link #next} returned last. */
    void take();

    void end();

    /** A sequence was admitted and computes so many tokens of its prompt. */
    void admitted(Sequence sequence, int promptTokens);

    /** A running sequence was given a token. */
    void generated(Sequence sequence);

    /** A sequence has ended, wherever it was. */
    void ended(Sequence sequence);

    /** How a running sequence stands beside others when one has to go: the highest goes. */
    long victimRank(Sequence sequence);
}
