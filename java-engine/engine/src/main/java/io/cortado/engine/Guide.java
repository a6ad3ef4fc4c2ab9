package io.cortado.engine;

import io.cortado.api.Constraint;
import io.cortado.api.EngineException;
import io.cortado.constrain.CompiledGrammar;
import io.cortado.constrain.GrammarException;
import io.cortado.constrain.Matcher;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * How a constraint leads one answer: before each row the mask of what may be drawn, after it the
 * token. It follows the answer's tokens on the host, so that nothing the device loses is missed. A
 * failure is its request's alone, and ends it.
 */
final class Guide {
    private final Matcher matcher;
    private final int[] mask;

    Guide(CompiledGrammar grammar) {
        matcher = grammar.matcher();
        mask = new int[grammar.vocabulary().words()];
    }

    /**
     * Of the last {@link #look}; all ones where it has failed, as the row is drawn all the same.
     */
    int[] mask() {
        return mask;
    }

    /** Finds what may be drawn next; why the answer cannot go on, or null. */
    @Nullable EngineException look() {
        EngineException failure = tryLook();
        if (failure != null) {
            Arrays.fill(mask, -1);
        }
        return failure;
    }

    private @Nullable EngineException tryLook() {
        try {
            matcher.allowed(mask);
        } catch (GrammarException e) {
            return Constraints.refused(e);
        } catch (RuntimeException | Error fault) {
            return failed(fault);
        }
        for (int word : mask) {
            if (word != 0) {
                return null;
            }
        }
        return EngineException.invalid(
                Constraint.PARAM,
                "no token of the model's can go on with the output: tokens=" + matcher.numTokens());
    }

    /** Takes the token that was drawn; why the answer cannot go on, or null. */
    @Nullable EngineException accept(int token) {
        try {
            return matcher.accept(token) ? null : failed(null);
        } catch (GrammarException e) {
            return Constraints.refused(e);
        } catch (RuntimeException | Error fault) {
            return failed(fault);
        }
    }

    private EngineException failed(@Nullable Throwable fault) {
        return new EngineException(
                EngineException.Code.INTERNAL,
                "the constraint has failed at token %d: %s"
                        .formatted(matcher.numTokens(), fault == null ? "not allowed" : fault),
                Constraint.PARAM,
                fault);
    }
}
