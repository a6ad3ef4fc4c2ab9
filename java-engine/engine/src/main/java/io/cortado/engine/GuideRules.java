package io.cortado.engine;

import io.cortado.constrain.CompiledGrammar;
import org.jspecify.annotations.Nullable;

/**
 * What leads the answers of a request.
 *
 * @param grammar what each answer has to be
 * @param threads where masks are made
 * @param region of the reasoning before it; null: there is none
 * @param start how an answer begins
 */
record GuideRules(
        CompiledGrammar grammar,
        MaskThreads threads,
        @Nullable ReasoningRegion region,
        ReasoningRegion.Start start) {
    /** From the first token on. */
    static GuideRules of(CompiledGrammar grammar, MaskThreads threads) {
        return new GuideRules(grammar, threads, null, ReasoningRegion.Start.ANSWER);
    }

    Guide guide() {
        return new Guide(
                grammar,
                threads,
                region == null || start == ReasoningRegion.Start.ANSWER
                        ? null
                        : new ReasoningPhase(region, start));
    }
}
