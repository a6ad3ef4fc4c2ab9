package io.cortado.engine;

import io.cortado.api.EngineException;
import io.cortado.speculate.DraftTree;

/**
 * The masks of a batch, which others make while the device computes its logits. A step does not
 * wait for one that takes long. Where what a row draws can be checked behind it and is then, bit
 * for bit, what it draws under its mask, it is drawn without; else it is not drawn, and its
 * sequence sits out until there is a mask.
 */
final class Guides {
    private Guides() {}

    /** Each guided row's mask, or its fault, or what becomes of it without one. */
    static void look(Batch batch) {
        for (int i = 0; i < batch.numGuided(); i++) {
            int row = batch.guidedRow(i);
            Sequence sequence = batch.sequence(batch.rowSequence[row]);
            ask(sequence, batch.rowNode[row]);
        }
        long start = System.nanoTime();
        for (int i = 0; i < batch.numGuided(); i++) {
            int row = batch.guidedRow(i);
            Sequence sequence = batch.sequence(batch.rowSequence[row]);
            Guide guide = sequence.guiding();
            if (batch.rowNode[row] == DraftTree.ROOT) {
                int drafts = batch.draftsOf(batch.rowSequence[row]);
                guide.await(drafts, start + guide.waitNanos());
            }
            take(batch, row, sequence, guide.mask(batch.rowNode[row]));
        }
    }

    private static void ask(Sequence sequence, int node) {
        if (node == DraftTree.ROOT) {
            sequence.guiding().ask();
        } else {
            sequence.guiding().ask(sequence.drafting().tree(), node);
        }
    }

    /** The last token of a sequence that does not draw is computed again when it does. */
    static void sitOut(Batch batch) {
        for (int i = 0; i < batch.numGuided(); i++) {
            int row = batch.guidedRow(i);
            boolean isHeld = batch.rowMasking[row] == Batch.Masking.HELD;
            if (isHeld && batch.rowNode[row] == DraftTree.ROOT) {
                Sequence sequence = batch.sequence(batch.rowSequence[row]);
                sequence.computed--;
                sequence.guiding().sitOut();
            }
        }
    }

    private static void take(Batch batch, int row, Sequence sequence, RowMask mask) {
        if (mask.isMade()) {
            EngineException failure = mask.failure();
            if (failure != null) {
                batch.fault(row, failure);
            }
        } else if (sequence.mayDrawUnmasked()) {
            batch.rowMasking[row] = Batch.Masking.CHECKED;
        } else {
            batch.rowMasking[row] = Batch.Masking.HELD;
        }
    }
}
