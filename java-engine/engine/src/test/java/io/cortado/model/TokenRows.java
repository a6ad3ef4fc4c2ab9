package io.cortado.model;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

/** Batches of texts of nobody's, from their first token, with a row of logits for each token. */
final class TokenRows {
    private TokenRows() {}

    /**
     * Writes a batch whose sequences have blocks of their own.
     *
     * @return its tokens
     */
    static int fill(BatchInputs in, int[] lengths, int blocksPerSeq, int vocabSize) {
        int token = 0;
        for (int seq = 0; seq < lengths.length; seq++) {
            for (int i = 0; i < blocksPerSeq; i++) {
                int at = seq * blocksPerSeq + i;
                in.blockTable().setAtIndex(JAVA_INT, at, at);
            }
            for (int i = 0; i < lengths[seq]; i++) {
                in.ids().setAtIndex(JAVA_INT, token, (17 + 31 * token) % vocabSize);
                in.positions().setAtIndex(JAVA_INT, token, i);
                in.slotMapping().setAtIndex(JAVA_LONG, token, seq * blocksPerSeq * 16L + i);
                in.logitRows().setAtIndex(JAVA_INT, token, token);
                token++;
            }
            in.cuSeqlensQ().setAtIndex(JAVA_INT, seq + 1, token);
            in.seqlensKv().setAtIndex(JAVA_INT, seq, lengths[seq]);
        }
        return token;
    }
}
