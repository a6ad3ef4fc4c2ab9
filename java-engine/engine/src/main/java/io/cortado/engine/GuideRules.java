package io.cortado.engine;

import io.cortado.constrain.CompiledGrammar;
import org.jspecify.annotations.Nullable;

/**
 * What leads the answers of a request.
 *
 * @param grammar what each answer has to be
 * @param region of the reasoning before it; null: there is none
 * @param start how an answer begins
 */
record GuideRules(
        CompiledGrammar grammar, @Nullable ReasoningRegion region, ReasoningRegion.Start start) {
    /** From the first token on. */
    static GuideRules of(CompiledGrammar grammar) {
        return new GuideRules(grammar, null, ReasoningRegion.Start.ANSWER);
    }

    Guide guide() {
        return new Guide(
                grammar,
                region == null || start == ReasoningRegion.Start.ANSWER
                        ? null
                        : new ReasoningPhase(region, start));
    }
}
