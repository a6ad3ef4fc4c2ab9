package io.cortado.model;

import io.cortado.moe.ExpertStep;

/**
 * What a step may hold at most, and the blocks of the KV cache.
 *
 * @param numBlocks blocks of 16 tokens in the cache
 * @param maxNumSeqs sequences of a step
 * @param maxNumBatchedTokens tokens of a step
 * @param maxBlocksPerSeq columns of the block table
 * @param maxLogitRows rows of logits of a step
 */
record BatchLimits(
        int numBlocks,
        int maxNumSeqs,
        int maxNumBatchedTokens,
        int maxBlocksPerSeq,
        int maxLogitRows) {
    BatchLimits {
        require("numBlocks", numBlocks);
        require("maxNumSeqs", maxNumSeqs);
        require("maxNumBatchedTokens", maxNumBatchedTokens);
        require("maxBlocksPerSeq", maxBlocksPerSeq);
        require("maxLogitRows", maxLogitRows);
    }

    /** Of what steps compute in, whose bytes do not depend on the cache's blocks. */
    static BatchLimits ofSteps(
            int maxNumSeqs, int maxNumBatchedTokens, int maxBlocksPerSeq, int maxLogitRows) {
        return new BatchLimits(
                Math.max(1, maxBlocksPerSeq),
                maxNumSeqs,
                maxNumBatchedTokens,
                maxBlocksPerSeq,
                maxLogitRows);
    }

    BatchLimits withLogitRows(int rows) {
        return new BatchLimits(numBlocks, maxNumSeqs, maxNumBatchedTokens, maxBlocksPerSeq, rows);
    }

    /** Of a step's second micro-batch. */
    BatchLimits secondMicroBatch() {
        int tokens = ExpertStep.secondTokens(maxNumBatchedTokens);
        return new BatchLimits(numBlocks, maxNumSeqs, tokens, maxBlocksPerSeq, maxLogitRows);
    }

    private static void require(String name, int value) {
        if (value < 1) {
            throw new IllegalArgumentException(name + " must be at least 1: " + name + "=" + value);
        }
    }

    void check(int numTokens, int numSeqs, int numLogitRows) {
        check("numTokens", numTokens, 1, maxNumBatchedTokens);
        check("numSeqs", numSeqs, 1, maxNumSeqs);
        check("numLogitRows", numLogitRows, 0, maxLogitRows);
    }

    private static void check(String name, int value, int low, int high) {
        if (value < low || value > high) {
            throw new IllegalArgumentException(
                    name + " must be in [" + low + ", " + high + "]: " + name + "=" + value);
        }
    }
}
