package io.cortado.api;

import org.jspecify.annotations.Nullable;

/**
 * How a model with experts would best be placed on many ranks, counted by bytes and operations.
 *
 * @param model its name
 * @param hardware of a rank, in words
 * @param apart attention and experts on ranks of their own; null where {@code refusal} is not
 * @param expertParallel attention on each rank, experts spread over them; null: none fits
 * @param tensorParallel all matrices split over the ranks; null: none fits
 * @param refusal why nothing fits that has attention and experts apart
 */
public record RankPlan(
        String model,
        String architecture,
        String hardware,
        RankLoad load,
        @Nullable Choice apart,
        @Nullable Choice expertParallel,
        @Nullable Choice tensorParallel,
        EnginePlan.@Nullable Refusal refusal) {

    /**
     * A layout and what it gives while decoding. Times are of a layer and a micro-batch.
     *
     * @param text what is where
     * @param attentionRanks all ranks where attention and experts share them
     * @param expertRanks the same
     * @param batch answers at once, of all ranks
     * @param expertMicros of the rank with most rows
     * @param thereMicros the rows' way to the experts
     * @param backMicros the way of their sums
     * @param attentionIdle part of a step in which a rank with attention does nothing
     * @param expertIdle the same of a rank with experts
     * @param attentionWeightBytes of a rank with attention
     * @param expertWeightBytes of a rank with experts
     * @param kvBytes of a rank with attention
     * @param isEven attention and experts differ by no more than a fifth of the longer
     * @param isExchangeShorter a way takes less than the longer of attention and experts
     * @param isExchangeHidden micro-batches * longer is at least 2 * (longer + a way)
     */
    public record Choice(
            String text,
            int ranks,
            int attentionRanks,
            int expertRanks,
            int microBatches,
            double batch,
            double attentionMicros,
            double expertMicros,
            double thereMicros,
            double backMicros,
            double attentionIdle,
            double expertIdle,
            double tpotMs,
            double tokensPerSecondPerRank,
            long attentionWeightBytes,
            long expertWeightBytes,
            long kvBytes,
            boolean isEven,
            boolean isExchangeShorter,
            boolean isExchangeHidden) {}
}
