package io.cortado.engine;

import io.cortado.constrain.CompiledGrammar;
import org.jspecify.annotations.Nullable;

/**
 * What leads the answers of a request.
 *
 * @param grammar what each answer has to be
 * @param threads where masks are made
 * @param jumps how more than a token at a time is forced; null: by no means
 * @param region of the reasoning before it; null: there is none
 * @param start how an answer begins
 */
record GuideRules(
        CompiledGrammar grammar,
        MaskThreads threads,
        @Nullable JumpForward jumps,
        @Nullable ReasoningRegion region,
        ReasoningRegion.Start start) {
    Guide guide() {
        return new Guide(
                grammar,
                threads,
                jumps,
                region == null || start == ReasoningRegion.Start.ANSWER
                        ? null
                        : new ReasoningPhase(region, start));
    }
}
