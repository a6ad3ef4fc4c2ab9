package io.cortado.engine;

import io.cortado.api.Scheduling;
import io.cortado.kv.BlockKeys;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * A request that was checked: nothing in it can fail later.
 *
 * @param n answers that are given
 * @param bestOf answers that are made
 * @param logprobs -1: none
 * @param promptLogprobs -1: none
 * @param keys of the prompt's full blocks; null: nothing is shared
 * @param pooled null: the request generates
 * @param stopRules makes the rules of one answer
 */
record RequestSpec(
        int[] prompt,
        int n,
        int bestOf,
        int maxOutput,
        long seed,
        RowParams rowParams,
        int logprobs,
        int promptLogprobs,
        Scheduling scheduling,
        @Nullable BlockKeys keys,
        @Nullable PooledRow pooled,
        Supplier<StopRules> stopRules) {

    /** All answers that are made are given. */
    RequestSpec(
            int[] prompt,
            int n,
            int maxOutput,
            long seed,
            RowParams rowParams,
            int logprobs,
            int promptLogprobs,
            Scheduling scheduling,
            @Nullable BlockKeys keys,
            @Nullable PooledRow pooled,
            Supplier<StopRules> stopRules) {
        this(
                prompt,
                n,
                n,
                maxOutput,
                seed,
                rowParams,
                logprobs,
                promptLogprobs,
                scheduling,
                keys,
                pooled,
                stopRules);
    }
}
