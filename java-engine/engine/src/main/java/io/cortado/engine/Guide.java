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
 */
final class Guide {
    private final Matcher matcher;

    /** Behind what is known, then behind each draft. */
    private final List<int[]> masks = new ArrayList<>();

    Guide(CompiledGrammar grammar) {
        matcher = grammar.matcher();
        masks.add(new int[grammar.vocabulary().words()]);
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
            matcher.rollback(matcher.numTokens() - before);
        }
    }

    /** Drops drafts from the first on that the constraint does not let through. */
    void prune(DraftTree tree) {
        int before = matcher.numTokens();
        for (int node = 0; node < tree.size(); node++) {
            boolean isAllowed = !matcher.isEnded() && tryFollow(tree, node);
            matcher.rollback(matcher.numTokens() - before);
            if (!isAllowed) {
                tree.truncate(node);
            }
        }
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
                || follow(tree, tree.parent(node)) && matcher.accept(tree.token(node));
    }

    private @Nullable EngineException look(int[] mask) {
        EngineException failure = tryLook(mask);
        if (failure != null) {
            Arrays.fill(mask, -1);
        }
        return failure;
    }

    private @Nullable EngineException tryLook(int[] mask) {
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
