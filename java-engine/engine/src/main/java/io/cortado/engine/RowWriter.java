package io.cortado.engine;

import io.cortado.device.SampleRow;
import io.cortado.sampling.Sampler;
import io.cortado.speculate.DraftTree;
import org.jspecify.annotations.Nullable;

/** Adds rows of a batch to a sampler, with what their rules ask for at this very place. */
final class RowWriter {
    private static final int SAMPLING_TAG = 0;

    private final Sampler sampler;
    private final DryMatches dryMatches;
    private final DraftedText text = new DraftedText();

    RowWriter(Sampler sampler, int vocabSize) {
        this.sampler = sampler;
        dryMatches = new DryMatches(vocabSize);
    }

    /** All rows; of one that has processors only a row that nobody reads. */
    void addAll(Batch batch) {
        for (int row = 0; row < batch.numRows(); row++) {
            if (batch.rowForced[row] != Batch.DRAW) {
                score(batch, row);
            } else if (batch.rowMasking[row] == Batch.Masking.HELD
                    || batch.sequence(batch.rowSequence[row]).hasProcessors()) {
                addUnread();
            } else {
                draw(batch, row);
            }
        }
    }

    /** A row that nobody reads. */
    void addUnread() {
        sampler.add(RowParams.RAW.row());
    }

    private void score(Batch batch, int row) {
        Sequence sequence = batch.sequence(batch.rowSequence[row]);
        sampler.add(RowParams.RAW.row())
                .forced(batch.rowForced[row])
                .logprobs(sequence.request.promptLogprobs, false);
    }

    /** A row that draws. */
    void draw(Batch batch, int row) {
        Sequence sequence = batch.sequence(batch.rowSequence[row]);
        RowParams params = sequence.request.rowParams;
        long position = batch.rowPosition[row];
        SampleRow added = sampler.add(params.row());
        added.random(sequence.seed, position, SAMPLING_TAG);
        text.set(sequence, batch.rowNode[row]);
        boolean isMasked = batch.rowMasking[row] == Batch.Masking.DRAWN;
        addMasks(added, params, isMasked ? sequence.guide : null, batch.rowNode[row]);
        addBias(params, sequence, (int) position - sequence.prompt.length);
        DryRule dry = params.dry();
        if (dry != null) {
            dryMatches.add(dry.dry(), dry.breakers(), text, text.length(), sampler);
        }
        if (params.hasState()) {
            added.stateSlot(batch.rowState[row]);
            if (batch.rowNode[row] == DraftTree.ROOT) {
                added.reset(batch.rowResets[row]);
                noteKnown(params, sequence, batch.rowResets[row]);
            } else {
                assumeDrafts();
            }
        }
    }

    /** What the device does not count yet; all, where the slot was another's. */
    private void noteKnown(RowParams params, Sequence sequence, boolean isNew) {
        int size = sequence.answer.size();
        if (isNew) {
            noteHistory(params, sequence);
        } else if (sequence.uncounted > 0) {
            for (int i = size - sequence.uncounted; i < size; i++) {
                sampler.output(sequence.answer.id(i));
            }
        }
        sequence.uncounted = 0;
    }

    /** Rows behind drafts see them counted; nothing of that stays. */
    private void assumeDrafts() {
        sampler.assume();
        for (int position = text.knownLength(); position < text.length(); position++) {
            sampler.output(text.token(position));
        }
    }

    private void addMasks(SampleRow added, RowParams params, @Nullable Guide guide, int node) {
        int[] allowed = params.allowedMask();
        if (guide != null || allowed != null) {
            added.masks(
                    guide == null ? SampleRow.NONE : sampler.mask(guide.mask(node).bits()),
                    allowed == null ? SampleRow.NONE : sampler.mask(allowed));
        }
    }

    private void addBias(RowParams params, Sequence sequence, int numOutput) {
        if (params.biasIds().length > 0) {
            sampler.bias(params.biasIds(), params.biasValues());
        }
        for (int id : sequence.stops.banned(numOutput)) {
            sampler.bias(id, Float.NEGATIVE_INFINITY);
        }
        BadWords words = params.badWords();
        for (int i = 0; words != null && i < words.sequences().length; i++) {
            int banned = words.banned(i, text, sequence.prompt.length, text.length());
            if (banned >= 0) {
                sampler.bias(banned, Float.NEGATIVE_INFINITY);
            }
        }
    }

    /** All tokens are known: none is under way where a slot is new. */
    private void noteHistory(RowParams params, Sequence sequence) {
        sampler.prompt(params.promptMarks(), 0, params.promptMarks().length);
        Answer output = sequence.answer;
        for (int from = 0; from < output.size(); from += Answer.CHUNK) {
            int count = Math.min(Answer.CHUNK, output.size() - from);
            sampler.output(output.chunkIds(from), 0, count);
        }
    }
}
