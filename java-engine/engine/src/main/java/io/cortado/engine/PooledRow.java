package io.cortado.engine;

import io.cortado.api.Pooling;

/**
 * The pooled hidden states of one prompt: the loop writes them before it ends the sequence, the
 * consumer reads them after.
 */
final class PooledRow {
    final Pooling pooling;

    /** Over the tokens that the pooling takes, not yet divided by their number. */
    final float[] sums;

    PooledRow(Pooling pooling, int width) {
        this.pooling = pooling;
        sums = new float[width];
    }
}
