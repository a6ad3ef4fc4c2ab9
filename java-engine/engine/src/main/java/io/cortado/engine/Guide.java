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
 *
 * <p>While a model reasons, the matcher waits: it gets no token of the reasoning nor of its
 * markers.
 */
final class Guide {
    private final Matcher matcher;
    private final int[] mask;

    /** Null once the answer has begun. */
    private @Nullable ReasoningPhase reasoning;

    /** False while the first tokens can only be those that open the reasoning. */
    private boolean mayAnswer = true;

    /**
     * @param reasoning null: the answer begins at once
     */
    Guide(CompiledGrammar grammar, @Nullable ReasoningPhase reasoning) {
        matcher = grammar.matcher();
        mask = new int[grammar.vocabulary().words()];
        this.reasoning = reasoning;
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
        ReasoningPhase phase = reasoning;
        if (phase != null && phase.isInside()) {
            phase.inside(mask);
            return null;
        }
        try {
            if (mayAnswer) {
                matcher.allowed(mask);
            } else {
                Arrays.fill(mask, 0);
            }
            if (phase != null) {
                phase.addOpening(mask);
            }
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
            return isTaken(token) ? null : failed(null);
        } catch (GrammarException e) {
            return Constraints.refused(e);
        } catch (RuntimeException | Error fault) {
            return failed(fault);
        }
    }

    /** The one token that may follow, known before its logits; -1 where there is a choice. */
    int forced() {
        try {
            return reasoning == null ? matcher.forcedToken() : -1;
        } catch (RuntimeException | Error fault) {
            return -1; // the look at the next mask tells
        }
    }

    private boolean isTaken(int token) {
        ReasoningPhase phase = reasoning;
        boolean answers =
                mayAnswer && (phase == null || !phase.isInside()) && matcher.accept(token);
        if (phase == null) {
            return answers;
        }
        boolean wasInside = phase.isInside();
        phase.accept(token);
        if (phase.isOver()) {
            reasoning = null;
            return wasInside || answers;
        }
        mayAnswer = answers;
        if (phase.isInside()) { // what looked like an answer was the marker
            matcher.rollback(matcher.numTokens());
            mayAnswer = true;
        }
        return true;
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
