package io.cortado.engine;

import io.cortado.api.EngineException;
import io.cortado.api.FinishReason;
import io.cortado.speculate.DraftTree;
import java.util.function.LongSupplier;

/**
 * Takes what a step has given to the sequences: tokens that were drawn, drafts that stand, scores
 * of prompts, and tokens that a constraint leaves no choice about. The loop's.
 */
final class StepResults {
    private static final FinishReason LENGTH = new FinishReason.Length();

    /** What becomes of a request beside its tokens. */
    interface Ends {
        void end(Sequence sequence, FinishReason reason);

        /** Fails the whole request; the others go on. */
        void fail(Request request, Throwable why);

        /** Its consumer finds something when the step is done. */
        void wakeLater(Request request);
    }

    private final Scheduler scheduler;
    private final Journal journal;
    private final Speculator speculator;
    private final LongSupplier clock;
    private final Ends ends;
    private final LateMasks masks = new LateMasks();

    StepResults(Scheduler scheduler, Speculator speculator, LongSupplier clock, Ends ends) {
        this.scheduler = scheduler;
        journal = scheduler.journal();
        this.speculator = speculator;
        this.clock = clock;
        this.ends = ends;
    }

    LateMasks masks() {
        return masks;
    }

    /** Takes all that a step has given. */
    void accept(Batch batch) {
        for (int row = 0; row < batch.numRows(); row++) {
            Sequence sequence = batch.sequence(batch.rowSequence[row]);
            if (!sequence.hasEnded() && batch.rowNode[row] == DraftTree.ROOT) {
                acceptOrFail(batch, row, sequence);
            }
        }
        for (int i = 0; i < batch.numSeqs(); i++) {
            Sequence sequence = batch.sequence(i);
            boolean isOver = sequence.maxOutput == 0 && batch.hasWholePrompt(i);
            if (!sequence.hasEnded() && isOver) {
                ends.end(sequence, LENGTH); // only the prompt was to be scored or pooled
            }
        }
    }

    /** What goes wrong with the text, scores or memory of one request leaves the others alone. */
    private void acceptOrFail(Batch batch, int row, Sequence sequence) {
        try {
            if (batch.rowMasking[row] == Batch.Masking.HELD) {
                masks.held();
                return; // it waits for its mask
            }
            if (!stands(batch, row, sequence)) {
                sequence.takeBack();
                return;
            }
            int drafts = batch.draftsOf(batch.rowSequence[row]);
            if (drafts > 0) {
                sequence.request.ledger.drafted(drafts); // it may end with this token
                scheduler.draftBlocks().settle(sequence, batch, row);
            }
            accept(batch, row, sequence);
            if (drafts > 0) {
                acceptDrafts(batch, row, sequence);
            }
            if (batch.rowForced[row] == Batch.DRAW) {
                appendForced(sequence);
            }
            if (sequence.guide != null && !sequence.hasEnded()) {
                sequence.guide.ask();
            }
        } catch (RuntimeException | OutOfMemoryError | StackOverflowError fault) {
            ends.fail(sequence.request, fault);
        }
    }

    /** False if a row that was drawn without its mask has drawn what the mask bans. */
    private boolean stands(Batch batch, int row, Sequence sequence) {
        if (batch.rowMasking[row] != Batch.Masking.CHECKED) {
            return true;
        }
        boolean stands =
                batch.status[row] == SampleStatus.OK && sequence.guiding().allows(batch.token[row]);
        masks.checked(stands);
        return stands;
    }

    private void accept(Batch batch, int row, Sequence sequence) {
        Request request = sequence.request;
        EngineException fault = batch.fault(row);
        if (fault != null) {
            ends.fail(request, fault);
            return;
        }
        if (batch.rowForced[row] != Batch.DRAW && request.scores != null) {
            int promptToken = (int) batch.rowPosition[row];
            request.scores.put(promptToken, batch, row);
            sequence.nextScore = promptToken + 1;
        } else {
            Guide guide = sequence.guide;
            EngineException refusal = guide == null ? null : guide.accept(batch.token[row]);
            if (refusal != null) {
                ends.fail(request, refusal);
                return;
            }
            sequence.append(batch, row);
            scheduler.drew(sequence);
            journal.drew();
            if (request.awaitsFirstToken()) {
                long now = clock.getAsLong();
                request.markFirstToken(now);
                journal.firstToken(request, now);
            }
            stopOrGoOn(sequence, batch.token[row]);
        }
        ends.wakeLater(request);
    }

    /** A draft stands where it is what the row before it has drawn. */
    private void acceptDrafts(Batch batch, int root, Sequence sequence) {
        Drafts drafts = sequence.drafting();
        int accepted = 0;
        int last = DraftTree.ROOT;
        int node = drafts.tree().child(DraftTree.ROOT, batch.token[root]);
        while (node != DraftTree.NONE && !sequence.hasEnded()) {
            int row = root + 1 + node;
            if (batch.rowMasking[row] == Batch.Masking.HELD) {
                masks.held();
                break;
            }
            if (!stands(batch, row, sequence)) {
                break;
            }
            accepted++;
            last = node;
            sequence.acceptDraft();
            sequence.request.ledger.draftStands();
            accept(batch, row, sequence);
            node = drafts.tree().child(node, batch.token[row]);
        }
        speculator.verified(drafts, accepted, last);
    }

    /** What the constraint leaves no choice about is computed with the next step, as one chunk. */
    private void appendForced(Sequence sequence) {
        for (int token = sequence.forced(); token >= 0; token = sequence.forced()) {
            appendForced(sequence, token);
        }
        for (int token : sequence.forcedTokens()) {
            if (sequence.hasEnded()) {
                return;
            }
            appendForced(sequence, token);
        }
    }

    private void appendForced(Sequence sequence, int token) {
        EngineException refusal = sequence.guiding().accept(token);
        if (refusal != null) {
            ends.fail(sequence.request, refusal);
            return;
        }
        sequence.answer.append(token);
        scheduler.drew(sequence);
        journal.drew();
        stopOrGoOn(sequence, token);
    }

    private void stopOrGoOn(Sequence sequence, int token) {
        FinishReason reason = sequence.stops.check(token, sequence.answer.size());
        if (reason == null) {
            sequence.answer.publish();
        } else {
            ends.end(sequence, reason);
        }
    }
}
