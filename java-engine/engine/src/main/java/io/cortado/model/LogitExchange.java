package io.cortado.model;

import io.cortado.device.Buffer;
import io.cortado.device.Stream;
import org.jspecify.annotations.Nullable;

/** How the logits of all ranks come to the first one. */
sealed interface LogitExchange extends AutoCloseable permits LogitGather, RowGather {
    /** float32 [rows][stride]: of this rank's part of the vocabulary, which a step writes. */
    Buffer ownLogits();

    /** Enqueues: the first rank's logits = those of all ranks side by side, as far as wanted. */
    void enqueue(RowCandidates rows, int numRows, Stream stream);

    /** Candidates that a row may have; 0: all rows come whole. */
    int mostCandidates();

    /** As {@link CandidateReceiver#masses}. */
    @Nullable Buffer masses();

    /** As {@link CandidateReceiver#largest}. */
    @Nullable Buffer largest();

    /** What has come to the first rank so far. Any thread. */
    LogitCounts counts();

    @Override
    void close();
}
