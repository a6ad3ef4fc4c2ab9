package io.cortado.engine;

import io.cortado.api.EngineException;
import org.jspecify.annotations.Nullable;

/** What the sampler says of a row, by the numbers of the ABI's {@code ct_sample_status}. */
final class SampleStatus {
    static final int OK = 0;
    static final int NOT_FINITE = 1;
    static final int EMPTY = 2;
    static final int INVALID = 3;

    private SampleStatus() {}

    /** The failure of the row's request; null if the row is good. */
    static @Nullable EngineException fault(int status, long position) {
        return switch (status) {
            case OK -> null;
            case NOT_FINITE ->
                    new EngineException(
                            EngineException.Code.NOT_FINITE,
                            "the logits are not finite: position=" + position);
            case EMPTY ->
                    EngineException.invalid(
                            "logit_bias",
                            "no token is left: logit_bias, allowed_token_ids, bad_words, min_tokens"
                                    + " or logits_processors ban them all: position="
                                    + position);
            case INVALID ->
                    new EngineException(
                            EngineException.Code.INTERNAL,
                            "the row's parameters contradict their tables: position=" + position);
            default ->
                    new EngineException(
                            EngineException.Code.INTERNAL,
                            "unknown sample status: status=" + status + " position=" + position);
        };
    }
}
