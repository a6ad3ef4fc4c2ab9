package io.cortado.api;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What a {@link GenerationStream} tells, in this order: one Started; PromptScored where asked for;
 * then for each index Deltas and one Finished, indexes interleaved; last one Completed. Or at any
 * point one Failed, which ends the stream.
 */
public sealed interface GenerationEvent {

    /** The request was accepted; {@code promptIds} are what will run. */
    record Started(int[] promptIds) implements GenerationEvent {}

    /** Log-probabilities of the prompt's tokens; the first has none and is null. */
    record PromptScored(List<@Nullable TokenLogprob> tokens) implements GenerationEvent {}

    /**
     * New output of answer {@code index}.
     *
     * @param ids the tokens whose text this is; empty for an echoed prompt
     * @param text whole characters; may be empty where tokens give no text
     * @param logprobs one per id where asked for, else null
     */
    record Delta(int index, int[] ids, String text, @Nullable List<TokenLogprob> logprobs)
            implements GenerationEvent {}

    /** Answer {@code index} has ended; nothing follows for it. */
    record Finished(int index, FinishReason reason) implements GenerationEvent {}

    /** All answers have ended. */
    record Completed(Usage usage, Timings timings, RequestReport report)
            implements GenerationEvent {}

    /** The request has failed; nothing follows. */
    record Failed(EngineException error) implements GenerationEvent {}
}
