package io.cortado.engine;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.cortado.kv.BlockFork;
import io.cortado.kv.BlockTable;
import io.cortado.model.BatchInputs;
import java.lang.foreign.MemorySegment;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** A pass of what drafts, filled in sequence by sequence. The loop's. */
final class DraftPass {
    private final BatchInputs inputs;
    private final int maxBlocksPerSeq;
    private final @Nullable Sequence[] sequences;
    private int numSeqs;
    private int numTokens;
    private int maxQLen;

    DraftPass(BatchInputs inputs, int maxNumSeqs, int maxBlocksPerSeq) {
        this.inputs = inputs;
        this.maxBlocksPerSeq = maxBlocksPerSeq;
        sequences = new @Nullable Sequence[maxNumSeqs];
    }

    void begin() {
        numSeqs = 0;
        numTokens = 0;
        maxQLen = 0;
        inputs.cuSeqlensQ().setAtIndex(JAVA_INT, 0, 0);
    }

    int numSeqs() {
        return numSeqs;
    }

    int numTokens() {
        return numTokens;
    }

    /** Tokens of the sequence that has most. */
    int maxQLen() {
        return maxQLen;
    }

    Sequence sequence(int index) {
        return Objects.requireNonNull(sequences[index]);
    }

    /**
     * Adds a token of the sequence that ends next.
     *
     * @param angles added to the position for its rotation alone
     */
    void add(Sequence sequence, int position, int angles, int id) {
        add(sequence.table.slot(position), position + angles, id);
    }

    /**
     * @param angle position of its rotation
     */
    void add(long slot, int angle, int id) {
        inputs.ids().setAtIndex(JAVA_INT, numTokens, id);
        inputs.positions().setAtIndex(JAVA_INT, numTokens, angle);
        inputs.slotMapping().setAtIndex(JAVA_LONG, numTokens, slot);
        numTokens++;
    }

    /** The last token added is what a row of the pass before draws. */
    void feed(int row) {
        inputs.fedRows().setAtIndex(JAVA_INT, numTokens - 1, row);
    }

    /**
     * Ends a sequence: its last row is its number.
     *
     * @param length its tokens with those of this pass
     */
    void end(Sequence sequence, int length) {
        BlockTable table = sequence.table;
        long at = (long) numSeqs * maxBlocksPerSeq * Integer.BYTES;
        MemorySegment.copy(table.array(), 0, inputs.blockTable(), JAVA_INT, at, table.size());
        endRow(sequence, length);
    }

    /** The same of one whose last tokens lie in a fork. */
    void end(Sequence sequence, BlockFork fork, int length) {
        BlockRows.put(inputs, maxBlocksPerSeq, numSeqs, sequence.table, fork);
        endRow(sequence, length);
    }

    private void endRow(Sequence sequence, int length) {
        int first = inputs.cuSeqlensQ().getAtIndex(JAVA_INT, numSeqs);
        inputs.cuSeqlensQ().setAtIndex(JAVA_INT, numSeqs + 1, numTokens);
        inputs.seqlensKv().setAtIndex(JAVA_INT, numSeqs, length);
        inputs.logitRows().setAtIndex(JAVA_INT, numSeqs, numTokens - 1);
        maxQLen = Math.max(maxQLen, numTokens - first);
        sequences[numSeqs++] = sequence;
    }

    /** The token of a sequence's last row in the pass. */
    int lastToken(int index) {
        return inputs.logitRows().getAtIndex(JAVA_INT, index);
    }
}
