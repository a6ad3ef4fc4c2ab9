package io.cortado.engine;

import io.cortado.device.Stream;
import io.cortado.kv.BlockFork;

/** Passes of what drafts trees on the device: a row of logits behind each text. */
interface DraftPasses {
    /** No token: what {@link #drawn} gives of a row that failed. */
    int NOTHING = -1;

    /**
     * The first pass: all that is known, of the sequences that want trees. Fewer rows where some
     * cannot be drafted for now.
     */
    void catchUp(Sequence[] sequences, int count);

    /** Starts a later pass. */
    void begin();

    /**
     * Adds a row behind a draft.
     *
     * @param depth of the draft
     * @param before row of the last pass behind which it was drafted
     */
    void add(Sequence sequence, BlockFork fork, int depth, int token, int before);

    /** Rows of the pass. */
    int numRows();

    Sequence sequence(int row);

    /** Runs the pass and waits. */
    void run(boolean isFirst, Stream stream);

    /** What a row has drawn by its request's rule, or {@link #NOTHING}. */
    int drawn(int row);

    /** Of a row's likeliest tokens the one of that rank. */
    int top(int row, int rank);

    double topLogprob(int row, int rank);

    /** Place of a draft's key: its depth behind this. */
    int origin(Drafts drafts);
}
