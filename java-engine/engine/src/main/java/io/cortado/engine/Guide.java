package io.cortado.engine;

import io.cortado.api.Constraint;
import io.cortado.api.EngineException;
import io.cortado.constrain.CompiledGrammar;
import io.cortado.constrain.GrammarException;
import io.cortado.constrain.Matcher;
import io.cortado.speculate.DraftTree;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * How a constraint leads one answer: before each row the mask of what may be drawn, after it the
 * token. It follows the answer's tokens on the host, so that nothing the device loses is missed. A
 * failure is its request's alone, and ends it. The loop's, but for the making of masks.
 *
 * <p>A mask is asked for as soon as the tokens before it are known, and made by another thread; the
 * guide has one of these at a time, which makes whatever was asked last. So a mask that takes long
 * keeps no step waiting, and no more than one thread busy.
 *
 * <p>While a model reasons, the matcher waits: it gets no token of the reasoning nor of its
 * markers.
 */
final class Guide {
    private static final int[] NO_TOKENS = {};

    private final Matcher matcher;
    private final MaskThreads threads;
    private final @Nullable JumpForward jumps;
    private final Runnable maker = this::makeAll;

    /** Behind what is known, then behind each draft. Under the lock of this. */
    private final List<RowMask> masks = new ArrayList<>();

    private final int words;

    /** A thread makes masks, or will. Under the lock of this. */
    private boolean isMaking;

    /** Who is to hear of a mask that was made. */
    private volatile @Nullable Thread waiter;

    /** Its sequence waits for the mask behind what is known: a step has gone without it. */
    private boolean isLate;

    /** Null once the answer has begun. */
    private @Nullable ReasoningPhase reasoning;

    /** False while the first tokens can only be those that open the reasoning. */
    private boolean mayAnswer = true;

    /**
     * @param jumps null: tokens are forced one by one
     * @param reasoning null: the answer begins at once
     */
    Guide(
            CompiledGrammar grammar,
            MaskThreads threads,
            @Nullable JumpForward jumps,
            @Nullable ReasoningPhase reasoning) {
        this.jumps = jumps;
        matcher = grammar.matcher();
        words = grammar.vocabulary().words();
        masks.add(new RowMask(words));
        this.threads = threads;
        this.reasoning = reasoning;
    }

    /** Behind a draft, or behind {@link DraftTree#ROOT}. */
    RowMask mask(int node) {
        return masks.get(1 + node);
    }

    /** Has the mask of the next token made, unless that was asked before. */
    void ask() {
        if (!mask(DraftTree.ROOT).isAsked()) {
            ask(DraftTree.ROOT, look());
        }
    }

    /** Has the mask behind a draft made as well, all drafts before it being asked for already. */
    void ask(DraftTree tree, int node) {
        int before = matcher.numTokens();
        ReasoningPhase phase = leave();
        RowMask.Ask ask;
        try {
            // Where it does not follow nobody gets there: the row before does not draw it.
            ask = follow(tree, node) ? look() : new RowMask.Open(null);
        } catch (RuntimeException | Error fault) {
            ask = new RowMask.Open(failed(matcher.numTokens(), fault));
        } finally {
            comeBack(phase, before);
        }
        ask(node, ask);
    }

    private RowMask.Ask look() {
        ReasoningPhase phase = reasoning == null ? null : reasoning.copy();
        try {
            return new RowMask.Look(
                    mayAnswer ? matcher.nextMask() : null, phase, matcher.numTokens());
        } catch (GrammarException e) {
            return new RowMask.Open(Constraints.refused(e));
        } catch (RuntimeException | Error fault) {
            return new RowMask.Open(failed(matcher.numTokens(), fault));
        }
    }

    private void ask(int node, RowMask.Ask ask) {
        synchronized (this) {
            if (masks.size() == 1 + node) {
                masks.add(new RowMask(words));
            }
            RowMask mask = mask(node);
            mask.ask(ask);
            if (isMaking) {
                return;
            }
            if (ask.isKnown()) {
                mask.make(ask);
                return;
            }
            isMaking = true;
        }
        threads.run().accept(maker);
    }

    private void makeAll() {
        for (RowMask mask = nextWanted(); mask != null; mask = nextWanted()) {
            RowMask.Ask ask = mask.wanted();
            if (ask != null) {
                mask.make(ask);
            }
            LockSupport.unpark(waiter);
        }
    }

    private synchronized @Nullable RowMask nextWanted() {
        for (RowMask mask : masks) {
            if (mask.wanted() != null) {
                return mask;
            }
        }
        isMaking = false;
        return null;
    }

    /**
     * Waits for the masks of a row and of so many drafts behind it until a time; the caller is
     * woken up later too if one is still not made then.
     */
    void await(int drafts, long deadlineNanos) {
        if (areMade(drafts)) {
            return;
        }
        waiter = Thread.currentThread();
        while (!areMade(drafts)) {
            long left = deadlineNanos - System.nanoTime();
            if (left <= 0) {
                return;
            }
            LockSupport.parkNanos(this, left);
        }
        waiter = null;
    }

    private boolean areMade(int drafts) {
        for (int node = DraftTree.ROOT; node < drafts; node++) {
            if (!mask(node).isMade()) {
                return false;
            }
        }
        return true;
    }

    long waitNanos() {
        return threads.waitNanos();
    }

    /** The sequence does not go on before its mask is made. */
    void sitOut() {
        isLate = true;
    }

    /**
     * It goes on if its mask is made by now. Asked once a turn: while a step is chosen it stays.
     */
    void comeIn() {
        isLate &= !mask(DraftTree.ROOT).isMade();
    }

    boolean sitsOut() {
        return isLate;
    }

    /** Drops drafts that the constraint does not let through, and what is behind them. */
    void prune(DraftTree tree) {
        if (reasoning != null && !reasoning.isInside()) {
            tree.clear(); // what the first tokens are is not clear yet
        }
        int node = 0;
        while (node < tree.size()) {
            int before = matcher.numTokens();
            ReasoningPhase phase = leave();
            boolean isAllowed = tryFollow(tree, node);
            comeBack(phase, before);
            if (isAllowed) {
                node++;
            } else {
                tree.cut(node);
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

    /** True if {@link #allows} can tell of a token that was drawn without its mask. */
    boolean canTell() {
        return reasoning == null;
    }

    /** Whether the mask of the next token has this one. */
    boolean allows(int token) {
        int before = matcher.numTokens();
        try {
            return matcher.accept(token);
        } catch (RuntimeException | Error fault) {
            return false; // the mask tells what is wrong
        } finally {
            matcher.rollback(matcher.numTokens() - before);
        }
    }

    /** Takes the token that was drawn; why the answer cannot go on, or null. */
    @Nullable EngineException accept(int token) {
        forgetMasks();
        try {
            return isTaken(token) ? null : failed(matcher.numTokens(), null);
        } catch (GrammarException e) {
            return Constraints.refused(e);
        } catch (RuntimeException | Error fault) {
            return failed(matcher.numTokens(), fault);
        }
    }

    private void forgetMasks() {
        isLate = false;
        for (RowMask mask : masks) {
            mask.ask(null);
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

    /** Whether {@link #forcedTokens} are asked for. */
    boolean jumps() {
        return jumps != null && reasoning == null;
    }

    /**
     * The tokens of all bytes that must follow, but for those that what comes then may change.
     *
     * @param before the last tokens of the answer
     */
    int[] forcedTokens(int[] before) {
        JumpForward by = jumps;
        try {
            return by == null
                    ? NO_TOKENS
                    : matcher.forcedTokens(forced -> by.tokens(forced, before));
        } catch (RuntimeException | Error fault) {
            return NO_TOKENS; // the look at the next mask tells
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

    static EngineException failed(int numTokens, @Nullable Throwable fault) {
        return new EngineException(
                EngineException.Code.INTERNAL,
                "the constraint has failed at token %d: %s"
                        .formatted(numTokens, fault == null ? "not allowed" : fault),
                Constraint.PARAM,
                fault);
    }
}
