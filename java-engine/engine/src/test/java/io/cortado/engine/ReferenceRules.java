package io.cortado.engine;

import io.cortado.api.Dry;
import io.cortado.api.LogitsProcessor;
import io.cortado.api.LogitsProcessorFactory;
import io.cortado.api.Penalties;
import io.cortado.api.SamplingParams;
import io.cortado.api.TokenRules;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The obvious version of the rules that edit logits, as a logits processor: bias, allowed ids,
 * minimum of tokens, penalties, DRY without breakers.
 */
final class ReferenceRules implements LogitsProcessorFactory {
    static final String NAME = "reference";

    private volatile @Nullable SamplingParams next;

    /** The request that asks for the same by the reference. */
    SamplingParams of(SamplingParams params) {
        next = params;
        return params.toBuilder()
                .penalties(Penalties.NONE)
                .dry(Dry.OFF)
                .tokens(TokenRules.NONE)
                .logitsProcessors(java.util.List.of(NAME))
                .build();
    }

    @Override
    public String name() {
        return NAME;
    }

    @Override
    public LogitsProcessor create() {
        SamplingParams params = java.util.Objects.requireNonNull(next);
        return (context, logits) -> apply(params, context, logits);
    }

    private static void apply(
            SamplingParams params, LogitsProcessor.Context context, float[] logits) {
        var allowed = params.tokens().allowedTokenIds();
        for (int id = 0; allowed != null && id < logits.length; id++) {
            logits[id] = allowed.contains(id) ? logits[id] : Float.NEGATIVE_INFINITY;
        }
        params.logitBias()
                .forEach((id, bias) ->
                        logits[id] = bias <= -100 ? Float.NEGATIVE_INFINITY : logits[id] + bias);
        Map<Integer, Integer> counts = new HashMap<>();
        Set<Integer> seen = new HashSet<>();
        for (int i = 0; i < context.outputSize(); i++) {
            counts.merge(context.outputId(i), 1, Integer::sum);
        }
        for (int i = 0; i < context.promptSize(); i++) {
            seen.add(context.promptId(i));
        }
        seen.addAll(counts.keySet());
        Penalties penalties = params.penalties();
        for (int id : seen) {
            logits[id] =
                    logits[id] > 0
                            ? logits[id] / penalties.repetition()
                            : logits[id] * penalties.repetition();
        }
        counts.forEach((id, count) -> {
            double loss = (double) count * penalties.frequency() + penalties.presence();
            logits[id] = (float) (logits[id] - loss);
        });
        if (!params.dry().isOff()) {
            dry(params.dry(), context, logits);
        }
    }

    /** Every place against the end, token by token. */
    private static void dry(Dry dry, LogitsProcessor.Context context, float[] logits) {
        int length = context.promptSize() + context.outputSize();
        int first = dry.lastN() < 0 ? 0 : Math.max(0, length - dry.lastN());
        Map<Integer, Integer> longest = new HashMap<>();
        for (int end = first; end < length - 1; end++) {
            int same = 0;
            while (end - same >= first
                    && token(context, end - same) == token(context, length - 1 - same)) {
                same++;
            }
            if (same >= dry.allowedLength()) {
                longest.merge(token(context, end + 1), same, Math::max);
            }
        }
        longest.forEach((id, same) ->
                logits[id] -=
                        (float)
                                (dry.multiplier()
                                        * Math.pow(dry.base(), same - dry.allowedLength())));
    }

    private static int token(LogitsProcessor.Context context, int position) {
        return position < context.promptSize()
                ? context.promptId(position)
                : context.outputId(position - context.promptSize());
    }
}
