package io.cortado.engine;

import io.cortado.api.EngineException;
import io.cortado.speculate.DraftTree;
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
        if (batch.rowNode[row] != DraftTree.ROOT) {
            return; // with its sequence's first row
        }
        Sequence sequence = batch.sequence(batch.rowSequence[row]);
        Guide guide = sequence.guide;
        if (guide == null) {
            return;
        }
        EngineException failure = guide.look();
        if (failure != null) {
            batch.fault(row, failure);
        }
        Drafts drafts = sequence.drafts;
        for (int node = 0;
                drafts != null && node < batch.draftsOf(batch.rowSequence[row]);
                node++) {
            EngineException behind = guide.look(drafts.tree(), node);
            if (behind != null) {
                batch.fault(row + 1 + node, behind);
            }
        }
    }
}
