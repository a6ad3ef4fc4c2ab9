package io.cortado.engine;

import io.cortado.api.Constraint;
import io.cortado.api.EngineException;
import io.cortado.constrain.CompiledGrammar;
import io.cortado.constrain.GrammarException;
import io.cortado.constrain.Matcher;
import io.cortado.speculate.DraftTree;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
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

    /** Behind what is known, then behind each draft. */
    private final List<int[]> masks = new ArrayList<>();

    /** Null once the answer has begun. */
    private @Nullable ReasoningPhase reasoning;

    /** False while the first tokens can only be those that open the reasoning. */
    private boolean mayAnswer = true;

    /**
     * @param reasoning null: the answer begins at once
     */
    Guide(CompiledGrammar grammar, @Nullable ReasoningPhase reasoning) {
        matcher = grammar.matcher();
        masks.add(new int[grammar.vocabulary().words()]);
        this.reasoning = reasoning;
    }

    /**
     * Of the last look behind a draft, or behind {@link DraftTree#ROOT}; all ones where it has
     * failed, as the row is drawn all the same.
     */
    int[] mask(int node) {
        return masks.get(1 + node);
    }

    /** Finds what may be drawn next; why the answer cannot go on, or null. */
    @Nullable EngineException look() {
        return look(mask(DraftTree.ROOT));
    }

    /** Finds what may be drawn behind a draft, all drafts before it being looked at already. */
    @Nullable EngineException look(DraftTree tree, int node) {
        if (masks.size() == 1 + node) {
            masks.add(new int[mask(DraftTree.ROOT).length]);
        }
        int[] mask = mask(node);
        int before = matcher.numTokens();
        ReasoningPhase phase = leave();
        try {
            if (follow(tree, node)) {
                return look(mask);
            }
            Arrays.fill(mask, -1); // nobody gets there: the row before does not draw it
            return null;
        } catch (RuntimeException | Error fault) {
            Arrays.fill(mask, -1);
            return failed(fault);
        } finally {
            comeBack(phase, before);
        }
    }

    /** Drops drafts from the first on that the constraint does not let through. */
    void prune(DraftTree tree) {
        if (reasoning != null && !reasoning.isInside()) {
            tree.clear(); // what the first tokens are is not clear yet
        }
        for (int node = 0; node < tree.size(); node++) {
            int before = matcher.numTokens();
            ReasoningPhase phase = leave();
            boolean isAllowed = tryFollow(tree, node);
            comeBack(phase, before);
            if (!isAllowed) {
                tree.truncate(node);
            }
        }
    }

    /** Goes on with a copy of what drafts would change. */
    private @Nullable ReasoningPhase leave() {
        ReasoningPhase phase = reasoning;
        reasoning = phase == null ? null : phase.copy();
        return phase;
    }

    private void comeBack(@Nullable ReasoningPhase phase, int numTokens) {
        reasoning = phase;
        matcher.rollback(matcher.numTokens() - numTokens);
    }

    /** What goes wrong in looking ahead shows again when it is the turn of that token. */
    private boolean tryFollow(DraftTree tree, int node) {
        try {
            return follow(tree, node);
        } catch (RuntimeException | Error fault) {
            return false;
        }
    }

    private boolean follow(DraftTree tree, int node) {
        return node == DraftTree.ROOT
                || follow(tree, tree.parent(node)) && mayTake(tree.token(node));
    }

    private boolean mayTake(int token) {
        return (reasoning != null || !matcher.isEnded()) && isTaken(token);
    }

    private @Nullable EngineException look(int[] mask) {
        EngineException failure = tryLook(mask);
        if (failure != null) {
            Arrays.fill(mask, -1);
        }
        return failure;
    }

    private @Nullable EngineException tryLook(int[] mask) {
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
