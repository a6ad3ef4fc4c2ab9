package io.cortado.engine;

/**
 * Draws tokens that depend on the sequence's seed and the position only, and checks each batch
 * against the contract of the kernels.
 */
class SimulatedExecutor implements Executor {
    private final int vocabSize;
    long steps;

    SimulatedExecutor(int vocabSize) {
        this.vocabSize = vocabSize;
    }

    /** The token that a sequence must get at a position, whatever shares its batch. */
    static int tokenAt(long seed, long position, int vocabSize) {
        return (int) Math.floorMod(Seeds.ofAnswer(seed, (int) position), (long) vocabSize);
    }

    @Override
    public void submit(Batch batch) {
        steps++;
        for (int i = 0; i < batch.numSeqs(); i++) {
            Sequence sequence = batch.sequence(i);
            int first = batch.cuSeqlensQ[i];
            for (int t = first; t < batch.cuSeqlensQ[i + 1]; t++) {
                int position = sequence.computed + t - first;
                check(batch.positions[t] == position, "position");
                check(batch.ids[t] == sequence.token(position), "id");
                check(batch.slots[t] == sequence.table.slot(position), "slot");
            }
            check(batch.seqlensKv[i] == sequence.computed + batch.tokensOf(i), "length");
        }
    }

    private static void check(boolean holds, String what) {
        if (!holds) {
            throw new AssertionError("the batch has a wrong " + what);
        }
    }

    @Override
    public void await(Batch batch) {
        for (int row = 0; row < batch.numRows(); row++) {
            Sequence sequence = batch.sequence(batch.rowSequence[row]);
            int forced = batch.rowForced[row];
            batch.token[row] =
                    forced == Batch.DRAW
                            ? tokenAt(sequence.seed, batch.rowPosition[row], vocabSize)
                            : forced;
            batch.logprob[row] = -batch.token[row] / 100f;
            batch.rank[row] = 1 + batch.token[row] % 5;
            batch.status[row] = SampleStatus.OK;
            for (int i = 0; i < batch.tops(); i++) {
                batch.topIds[row * Batch.MAX_TOPS + i] = i;
                batch.topLogprobs[row * Batch.MAX_TOPS + i] = -i;
            }
        }
    }

    @Override
    public void close() {}
}
