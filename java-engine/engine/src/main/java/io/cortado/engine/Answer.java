package io.cortado.engine;

import io.cortado.api.FinishReason;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * The tokens of one answer, written by the loop and read by the request's consumer at the same
 * time. The loop only appends ids here; text is made by the consumer. Bounded by the answer's own
 * length, so a slow consumer costs nothing more.
 *
 * <p>Storage is in chunks that never move: a reader that has seen {@link #published} sees what is
 * before it.
 */
final class Answer {
    /** Tokens that lie together. */
    static final int CHUNK = 256;

    private static final int EAGER_TOKENS = 1024;

    /** Columns of log-probabilities a token has beside its own. */
    private static final class Chunk {
        final int[] ids = new int[CHUNK];
        final float[] logprobs;
        final int[] ranks;
        final int[] topIds;
        final float[] topLogprobs;

        Chunk(boolean scored, int tops) {
            logprobs = new float[scored ? CHUNK : 0];
            ranks = new int[logprobs.length];
            topIds = new int[logprobs.length * tops];
            topLogprobs = new float[topIds.length];
        }
    }

    private final @Nullable Chunk[] chunks;
    private final boolean scored;
    private final int tops;
    private int size;
    private double cumulativeLogprob;
    private @Nullable FinishReason reason;

    /** Twice the number of readable tokens, plus one when the answer has ended. */
    private volatile int state;

    /**
     * @param scored log-probabilities are kept
     * @param tops likeliest tokens kept beside each
     */
    Answer(int maxTokens, boolean scored, int tops) {
        this.scored = scored;
        this.tops = tops;
        chunks = new @Nullable Chunk[(maxTokens + CHUNK - 1) / CHUNK];
        if (!scored) {
            for (int i = 0; i < Math.min(chunks.length, EAGER_TOKENS / CHUNK); i++) {
                chunks[i] = new Chunk(false, 0);
            }
        }
    }

    /** Tokens so far, for the loop's thread. */
    int size() {
        return size;
    }

    boolean isScored() {
        return scored;
    }

    int tops() {
        return tops;
    }

    /** Appends a token of the batch's row; visible after {@link #publish} or {@link #end}. */
    void append(Batch batch, int row) {
        Chunk to = room();
        int at = size % CHUNK;
        to.ids[at] = batch.token[row];
        cumulativeLogprob += batch.logprob[row];
        if (scored) {
            to.logprobs[at] = batch.logprob[row];
            to.ranks[at] = batch.rank[row];
            int from = row * Batch.MAX_TOPS;
            System.arraycopy(batch.topIds, from, to.topIds, at * tops, tops);
            System.arraycopy(batch.topLogprobs, from, to.topLogprobs, at * tops, tops);
        }
        size++;
    }

    /** Appends a token that had no alternative: its log-probability is 0. */
    void append(int token) {
        room().ids[size % CHUNK] = token;
        size++;
    }

    private Chunk room() {
        int chunk = size / CHUNK;
        if (chunks[chunk] == null) {
            chunks[chunk] = new Chunk(scored, tops);
        }
        return chunk(size);
    }

    void publish() {
        state = size << 1;
    }

    void end(FinishReason why) {
        reason = why;
        state = size << 1 | 1;
    }

    /** The readable state, to be taken apart by {@link #count} and {@link #isEnded(int)}. */
    int published() {
        return state;
    }

    static int count(int published) {
        return published >> 1;
    }

    static boolean isEnded(int published) {
        return (published & 1) != 0;
    }

    boolean isEnded() {
        return isEnded(state);
    }

    /** Why it ended; only once it has. */
    FinishReason reason() {
        return Objects.requireNonNull(reason);
    }

    int id(int index) {
        return chunk(index).ids[index % CHUNK];
    }

    /** The ids of the chunk that begins with this one, a multiple of {@link #CHUNK}. */
    int[] chunkIds(int index) {
        return chunk(index).ids;
    }

    /** Sum of the tokens' log-probabilities, where the request asks for them; only at the end. */
    double cumulativeLogprob() {
        return cumulativeLogprob;
    }

    float logprob(int index) {
        return chunk(index).logprobs[index % CHUNK];
    }

    int rank(int index) {
        return chunk(index).ranks[index % CHUNK];
    }

    int topId(int index, int top) {
        return chunk(index).topIds[index % CHUNK * tops + top];
    }

    float topLogprob(int index, int top) {
        return chunk(index).topLogprobs[index % CHUNK * tops + top];
    }

    private Chunk chunk(int index) {
        return Objects.requireNonNull(chunks[index / CHUNK]);
    }
}
