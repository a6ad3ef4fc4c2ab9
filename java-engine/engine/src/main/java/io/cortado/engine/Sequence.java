package io.cortado.engine;

import io.cortado.api.EngineException;
import io.cortado.api.LogitsProcessor;
import io.cortado.api.LogitsProcessorFactory;
import io.cortado.kv.BlockKeys;
import io.cortado.kv.BlockPool;
import io.cortado.kv.BlockTable;
import io.cortado.kv.TokenSource;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * One answer under way: prompt, output, blocks. The n answers of a request are n sequences that
 * share the prompt's array. Fields are the loop thread's.
 */
final class Sequence implements TokenSource {
    static final int NO_SLOT = -1;
    private static final int[] NO_TOKENS = {};

    final Request request;
    final int index;
    final int[] prompt;
    final Answer answer;
    final BlockTable table;
    final StopRules stops;
    final long seed;
    final int maxOutput;

    /** The host has to know each token before the next is drawn. */
    private final boolean followsTokens;

    /** Tokens without a choice are appended without being drawn. */
    private final boolean mayForce;

    /** A mask that is late may be applied to what was drawn. */
    private final boolean drawsUnmasked;

    /** Of its full blocks; null where nothing is to be shared. */
    final @Nullable BlockKeys keys;

    /**
     * Tokens whose keys and values are in the cache, or will be when the running step has ended.
     */
    int computed;

    /** Tokens that steps under way draw: nobody on the host knows them yet. */
    int drawing;

    /** The row of the newest step that draws the last of them. */
    int drawingRow;

    /** The next prompt token to score; the prompt's length where none is left. */
    int nextScore;

    /** Tokens that the cache held when the sequence last started. */
    int reused;

    /** Where the device sums its hidden states while it runs; only where they are pooled. */
    int sum;

    /** Where the device counts its tokens while it runs; only where that is asked for. */
    int stateSlot = NO_SLOT;

    /** Nothing is counted in the slot yet. */
    boolean isStateNew;

    /** The last tokens of the output that the device has not counted: drafts that stood. */
    int uncounted;

    /** Its own; empty where there are none. */
    final LogitsProcessor[] processors;

    /** Its own; null where anything may come. */
    final @Nullable Guide guide;

    /** Null where nothing is drafted for it. */
    @Nullable Drafts drafts;

    /** True if it rotates by the angles of long sequences; see {@link Limits}. */
    boolean isLong;

    int preemptions;

    /** It was thrown out, then, with so many computed tokens, and waits to run again. */
    boolean isThrownOut;

    long thrownOutNanos;
    int lostTokens;
    int passedOver;

    /** Waits for the first answer of its request to compute the prompt; not in the queue. */
    boolean isHeld;

    // The waiting queue's.
    long queueKey;
    int heapIndex;
    FairQueue.@Nullable Tenant tenant;
    @Nullable Sequence queuedBefore;
    @Nullable Sequence queuedAfter;
    boolean isQueued;

    /** Place in the order of arrival. */
    long order;

    Sequence(Request request, int index, StopRules stops, @Nullable BlockKeys keys) {
        this.request = request;
        this.index = index;
        this.stops = stops;
        this.keys = keys;
        prompt = request.prompt;
        maxOutput = request.maxOutput;
        seed = Seeds.ofAnswer(request.seed, index);
        answer = new Answer(maxOutput, request.logprobs >= 0, Math.max(0, request.logprobs));
        table = new BlockTable(maxCachedTokens());
        nextScore = request.scores != null && index == 0 ? 1 : prompt.length;
        List<LogitsProcessorFactory> named = request.rowParams.processors();
        processors = new LogitsProcessor[named.size()];
        for (int i = 0; i < processors.length; i++) {
            processors[i] = made(named.get(i));
        }
        GuideRules rules = request.rowParams.guide();
        guide = rules == null ? null : rules.guide();
        followsTokens = request.rowParams.followsTokens();
        mayForce = request.rowParams.mayForce() && request.logprobs < 0;
        drawsUnmasked = request.rowParams.mayDrawUnmasked() && request.logprobs < 0;
    }

    private static LogitsProcessor made(LogitsProcessorFactory factory) {
        try {
            return factory.create();
        } catch (RuntimeException e) {
            throw new EngineException(
                    EngineException.Code.INTERNAL,
                    "the logits processor " + factory.name() + " cannot be made: " + e,
                    "logits_processors",
                    e);
        }
    }

    boolean hasProcessors() {
        return processors.length > 0;
    }

    /** Prompt and output, with what is being drawn. */
    int length() {
        return prompt.length + answer.size() + drawing;
    }

    /** Tokens that need a place in the cache: all but the very last. */
    int cachedLength() {
        return Math.min(length(), maxCachedTokens());
    }

    /**
     * Tokens to compute before the next one can be drawn; 1 while decoding, 0 where the steps under
     * way are the last, or where the next one waits for what they draw or for its mask.
     */
    int pending() {
        int left = drawing > 0 && followsTokens() ? 0 : cachedLength() - computed;
        return left == 1 && guide != null && guide.sitsOut() ? 0 : left;
    }

    /** True if its greedy draw is checked as well behind it: only bans of tokens come before it. */
    boolean mayDrawUnmasked() {
        return drawsUnmasked && guiding().canTell();
    }

    /** What the newest step has drawn is not taken: its last token is computed again. */
    void takeBack() {
        drawing--;
        computed--;
        guiding().sitOut();
    }

    /** It sits out no longer where the mask that it waits for is made. */
    void comeIn() {
        if (guide != null) {
            guide.comeIn();
        }
    }

    private boolean followsTokens() {
        return followsTokens || drafts != null && drafts.isOn();
    }

    /** Of a sequence that a constraint leads. */
    Guide guiding() {
        return Objects.requireNonNull(guide);
    }

    /** Of a sequence that is drafted for. */
    Drafts drafting() {
        return Objects.requireNonNull(drafts);
    }

    /** True if it waits for its token so that more can be drafted behind it. */
    boolean awaitsDrafts() {
        return drawing > 0 && drafts != null && drafts.isOn();
    }

    /** True if the next step computes its last token, which is known. */
    boolean canBeDraftedFor() {
        return drawing == 0 && pending() == 1;
    }

    /** A draft stands: it is computed, and what comes behind it is drawn. */
    void acceptDraft() {
        computed++;
        drawing++;
        uncounted++;
    }

    /** True if a step under way draws the token at this position. */
    boolean isDrawing(int position) {
        return position >= length() - drawing;
    }

    /** Takes the token that a row of an ended step has drawn. */
    void append(Batch batch, int row) {
        drawing--;
        answer.append(batch, row);
    }

    /** The next token where the constraint leaves one only; -1 where it is to be drawn. */
    int forced() {
        return mayForce && guide != null && !hasEnded() ? guide.forced() : -1;
    }

    /** All that the constraint leaves no choice about, where it is appended so. */
    int[] forcedTokens() {
        if (!mayForce || guide == null || hasEnded() || !guide.jumps()) {
            return NO_TOKENS;
        }
        int from = Math.max(0, answer.size() - JumpForward.CONTEXT);
        var before = new int[answer.size() - from];
        Arrays.setAll(before, i -> answer.id(from + i));
        return guide.forcedTokens(before);
    }

    @Override
    public int token(int position) {
        return position < prompt.length ? prompt[position] : answer.id(position - prompt.length);
    }

    /** The most tokens that will ever be in the cache: the last one drawn is not computed. */
    int maxCachedTokens() {
        return prompt.length + Math.max(0, maxOutput - 1);
    }

    /**
     * Tokens from the first on that need no computation if the cache holds them: not the last one,
     * whose logits are wanted, nor those whose logits score the prompt, nor any that is pooled.
     */
    int reusable() {
        if (request.pooled != null) {
            return 0;
        }
        int last = length() - drawing - 1;
        return nextScore < prompt.length ? Math.min(last, nextScore - 1) : last;
    }

    /** True if the prompt's blocks are better taken from the request's first answer. */
    boolean sharesTheFirstPrompt() {
        return index > 0 && keys != null && prompt.length > BlockPool.BLOCK_TOKENS;
    }

    /** When the next token is due. */
    long deadlineNanos() {
        return request.deadlineNanos(answer.size());
    }

    /** The first position whose row scores a prompt token still wanted. */
    int firstScorePosition() {
        return Math.max(nextScore - 1, computed);
    }

    boolean hasEnded() {
        return answer.isEnded();
    }
}
