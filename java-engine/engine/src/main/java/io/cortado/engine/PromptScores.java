package io.cortado.engine;

/** Log-probabilities of a prompt's tokens, filled chunk by chunk by the loop. */
final class PromptScores {
    final int tops;
    final float[] logprobs;
    final int[] ranks;
    final int[] topIds;
    final float[] topLogprobs;

    /** Read by the consumer: all tokens are scored. */
    private volatile boolean complete;

    PromptScores(int promptTokens, int tops) {
        this.tops = tops;
        logprobs = new float[promptTokens];
        ranks = new int[promptTokens];
        topIds = new int[promptTokens * tops];
        topLogprobs = new float[promptTokens * tops];
        complete = promptTokens == 1;
    }

    void put(int promptToken, Batch batch, int row) {
        logprobs[promptToken] = batch.logprob[row];
        ranks[promptToken] = batch.rank[row];
        int from = row * Batch.MAX_TOPS;
        System.arraycopy(batch.topIds, from, topIds, promptToken * tops, tops);
        System.arraycopy(batch.topLogprobs, from, topLogprobs, promptToken * tops, tops);
        if (promptToken == logprobs.length - 1) {
            complete = true;
        }
    }

    boolean isComplete() {
        return complete;
    }
}
