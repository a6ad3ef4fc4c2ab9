package io.cortado.layout;

/**
 * What a step takes, in seconds.
 *
 * @param step all of it
 * @param layer a layer with experts, all micro-batches
 * @param attention of such a layer and a micro-batch: a rank's attention, shared expert included
 * @param experts the products of the rank with most rows
 * @param there the rows' way to the experts
 * @param back and that of their sums; with tensor parallelism both are half of the sums over ranks
 * @param attentionIdle part of the step in which a rank with attention does nothing
 * @param expertIdle the same of a rank with experts; the same rank where they are not apart
 */
public record StepTimes(
        double step,
        double layer,
        double attention,
        double experts,
        double there,
        double back,
        double attentionIdle,
        double expertIdle) {}
