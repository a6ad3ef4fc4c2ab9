package io.cortado.engine;

import io.cortado.kv.BlockTable;

/**
 * One answer under way: prompt, output, blocks. The n answers of a request are n sequences that
 * share the prompt's array. Fields are the loop thread's.
 */
final class Sequence {
    final Request request;
    final int index;
    final int[] prompt;
    final Answer answer;
    final BlockTable table;
    final StopRules stops;
    final long seed;
    final int maxOutput;

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

    /** True if it rotates by the angles of long sequences; see {@link Limits}. */
    boolean isLong;

    /** Where the device sums its hidden states while it runs; only where they are pooled. */
    int sum;

    int preemptions;
    int passedOver;

    /** Place in the order of arrival. */
    long order;

    Sequence(Request request, int index, StopRules stops) {
        this.request = request;
        this.index = index;
        this.stops = stops;
        prompt = request.prompt;
        maxOutput = request.maxOutput;
        seed = Seeds.ofAnswer(request.seed, index);
        answer = new Answer(maxOutput, request.logprobs >= 0, Math.max(0, request.logprobs));
        table = new BlockTable(maxCachedTokens());
        nextScore = request.scores != null && index == 0 ? 1 : prompt.length;
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
     * way are the last.
     */
    int pending() {
        return cachedLength() - computed;
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

    int token(int position) {
        return position < prompt.length ? prompt[position] : answer.id(position - prompt.length);
    }

    /** The most tokens that will ever be in the cache: the last one drawn is not computed. */
    int maxCachedTokens() {
        return prompt.length + Math.max(0, maxOutput - 1);
    }

    /** The first position whose row scores a prompt token still wanted. */
    int firstScorePosition() {
        return Math.max(nextScore - 1, computed);
    }

    boolean hasEnded() {
        return answer.isEnded();
    }
}
