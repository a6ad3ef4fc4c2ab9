package io.cortado.engine;

import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Log-probabilities of a prompt's tokens, filled chunk by chunk by the loop: a request that waits
 * holds none of the memory.
 */
final class PromptScores {
    private static final int CHUNK = 256;

    /** Of tokens that lie together. */
    private static final class Chunk {
        final float[] logprobs = new float[CHUNK];
        final int[] ranks = new int[CHUNK];
        final int[] topIds;
        final float[] topLogprobs;

        Chunk(int tops) {
            topIds = new int[CHUNK * tops];
            topLogprobs = new float[CHUNK * tops];
        }
    }

    private final int tops;
    private final int promptTokens;
    private final @Nullable Chunk[] chunks;

    /** Read by the consumer: all tokens are scored. */
    private volatile boolean complete;

    PromptScores(int promptTokens, int tops) {
        this.tops = tops;
        this.promptTokens = promptTokens;
        chunks = new @Nullable Chunk[(promptTokens + CHUNK - 1) / CHUNK];
        complete = promptTokens == 1;
    }

    void put(int promptToken, Batch batch, int row) {
        if (chunks[promptToken / CHUNK] == null) {
            chunks[promptToken / CHUNK] = new Chunk(tops);
        }
        Chunk to = chunk(promptToken);
        int at = promptToken % CHUNK;
        to.logprobs[at] = batch.logprob[row];
        to.ranks[at] = batch.rank[row];
        int from = row * Batch.MAX_TOPS;
        System.arraycopy(batch.topIds, from, to.topIds, at * tops, tops);
        System.arraycopy(batch.topLogprobs, from, to.topLogprobs, at * tops, tops);
        if (promptToken == promptTokens - 1) {
            complete = true;
        }
    }

    boolean isComplete() {
        return complete;
    }

    int tops() {
        return tops;
    }

    float logprob(int promptToken) {
        return chunk(promptToken).logprobs[promptToken % CHUNK];
    }

    int rank(int promptToken) {
        return chunk(promptToken).ranks[promptToken % CHUNK];
    }

    int topId(int promptToken, int top) {
        return chunk(promptToken).topIds[promptToken % CHUNK * tops + top];
    }

    float topLogprob(int promptToken, int top) {
        return chunk(promptToken).topLogprobs[promptToken % CHUNK * tops + top];
    }

    private Chunk chunk(int promptToken) {
        return Objects.requireNonNull(chunks[promptToken / CHUNK]);
    }
}
