package io.cortado.bench.conformance;

import io.cortado.constrain.CompiledGrammar;
import io.cortado.constrain.Matcher;

/** Feeds tokens to a matcher as a sampler would: each must be in the mask, then be accepted. */
final class MaskRun {
    private final Matcher matcher;
    private final int[] mask;

    MaskRun(CompiledGrammar grammar) {
        matcher = grammar.matcher();
        mask = new int[grammar.vocabulary().words()];
    }

    /**
     * Whether every token and then the end is allowed.
     *
     * @throws IllegalStateException if a mask and the matcher disagree
     */
    boolean accepts(int[] tokens) {
        for (int i = 0; i < tokens.length; i++) {
            matcher.allowed(mask);
            int token = tokens[i];
            boolean isAllowed = (mask[token >> 5] >>> token & 1) != 0;
            if (isAllowed != matcher.accept(token)) {
                throw new IllegalStateException(
                        "mask and matcher disagree: token=" + token + " position=" + i);
            }
            if (!isAllowed) {
                return false;
            }
        }
        return matcher.isAccepting();
    }
}
