package io.cortado.engine;

import io.cortado.api.EngineException;
import java.util.stream.IntStream;

/** The masks of a batch, made while the device computes its logits. */
final class Guides {
    /** So many are made in parallel: one alone is most often a copy of what is known. */
    private static final int PARALLEL_FROM = 4;

    private Guides() {}

    /** Each guided row's mask, or its fault. */
    static void look(Batch batch) {
        int count = batch.numGuided();
        if (count >= PARALLEL_FROM) {
            IntStream.range(0, count).parallel().forEach(i -> look(batch, i));
            return;
        }
        for (int i = 0; i < count; i++) {
            look(batch, i);
        }
    }

    private static void look(Batch batch, int index) {
        int row = batch.guidedRow(index);
        Guide guide = batch.sequence(batch.rowSequence[row]).guide;
        EngineException failure = guide == null ? null : guide.look();
        if (failure != null) {
            batch.fault(row, failure);
        }
    }
}
