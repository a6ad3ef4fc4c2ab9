package io.cortado.engine;

import io.cortado.api.EngineException;
import io.cortado.api.LogitsProcessor;
import io.cortado.kv.BlockFork;
import io.cortado.speculate.DraftTree;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * One step's work in the ragged layout of the kernels, and its results. Allocated once; a row is a
 * place where logits are wanted: to draw a token, or to score a prompt token.
 */
final class Batch {
    /** Columns of {@link #topIds}: the most that a request may ask for. */
    static final int MAX_TOPS = 20;

    /** In {@link #rowForced}: draw. */
    static final int DRAW = -1;

    /** In {@link #fedRows}: the id is known. */
    static final int KNOWN = -1;

    /** How the mask of a row's constraint comes in. */
    enum Masking {
        /** By the row's draw, or there is none. */
        DRAWN,
        /** It was late: the row draws without, and the token is checked behind it. */
        CHECKED,
        /** It was late: what the row draws is nobody's. */
        HELD
    }

    final int[] ids;

    /**
     * The row of the step before that draws the token; {@link #KNOWN} where {@link #ids} has it.
     */
    final int[] fedRows;

    final int[] positions;
    final long[] slots;

    final @Nullable Sequence[] sequences;
    final int[] cuSeqlensQ;
    final int[] seqlensKv;

    final int[] rowToken;
    final int[] rowSequence;
    final int[] rowForced;
    final long[] rowPosition;

    /** Where the device counts what the row draws, or {@link Sequence#NO_SLOT}. */
    final int[] rowState;

    /** The row's slot was another's before: it is cleared first. */
    final boolean[] rowResets;

    /** The draft behind which the row draws; {@link DraftTree#ROOT}: behind what is known. */
    final int[] rowNode;

    final Masking[] rowMasking;

    final int[] token;
    final float[] logprob;
    final int[] rank;
    final int[] status;
    final int[] topIds;
    final float[] topLogprobs;

    final PooledSegments pooled;

    /** When the step was handed to the device. */
    long submittedNanos;

    /** Rows that processors change. */
    private final int[] processedRows = new int[LogitsProcessor.MAX_ROWS];

    /** Rows that constraints lead. */
    private final int[] guidedRows;

    /** Drafts of each sequence. */
    private final int[] drafts;

    /** Tokens of each sequence that are known. */
    private final int[] known;

    /** Slots that share the keys and values of a token: of the one computed, and the other. */
    final long[] copies;

    /** Where the blocks are not the sequence's own: another way of its tree of drafts. */
    private final @Nullable BlockFork[] forks;

    /** Where each draft of the tree that is added is computed. */
    private final int[] draftTokens;

    private int numForks;
    private int numCopies;

    private final @Nullable EngineException[] faults;
    private final int maxTokens;
    private int numDrafts;
    private int numProcessed;
    private int numGuided;
    private int mostTokens;
    private int decodes;
    private int numTokens;
    private int numSeqs;
    private int numRows;
    private int numDraws;
    private int scoreRowsLeft;
    private int tops;
    private int promptTokens;
    private int maxQLen;
    private boolean isFed;

    Batch(Limits limits) {
        maxTokens = limits.maxNumBatchedTokens();
        mostTokens = maxTokens;
        int seqs = limits.maxTables();
        int rows = limits.maxRows();
        ids = new int[maxTokens];
        fedRows = new int[maxTokens];
        positions = new int[maxTokens];
        slots = new long[maxTokens];
        copies = new long[2 * maxTokens];
        sequences = new @Nullable Sequence[seqs];
        cuSeqlensQ = new int[seqs + 1];
        seqlensKv = new int[seqs];
        rowToken = new int[rows];
        rowSequence = new int[rows];
        rowForced = new int[rows];
        rowPosition = new long[rows];
        rowState = new int[rows];
        rowResets = new boolean[rows];
        rowNode = new int[rows];
        guidedRows = new int[rows];
        rowMasking = new Masking[rows];
        drafts = new int[seqs];
        known = new int[seqs];
        forks = new @Nullable BlockFork[seqs];
        draftTokens = new int[limits.maxDrafts()];
        faults = new @Nullable EngineException[rows];
        token = new int[rows];
        logprob = new float[rows];
        rank = new int[rows];
        status = new int[rows];
        topIds = new int[rows * MAX_TOPS];
        topLogprobs = new float[rows * MAX_TOPS];
        pooled = new PooledSegments(seqs);
    }

    void clear(int scoreRows) {
        Arrays.fill(sequences, 0, numSeqs, null);
        Arrays.fill(forks, 0, numSeqs, null);
        numForks = 0;
        numCopies = 0;
        if (numProcessed + numGuided > 0) {
            Arrays.fill(faults, null);
        }
        numProcessed = 0;
        numGuided = 0;
        numDrafts = 0;
        mostTokens = maxTokens;
        decodes = 0;
        numTokens = 0;
        numSeqs = 0;
        numRows = 0;
        numDraws = 0;
        pooled.clear();
        tops = 0;
        promptTokens = 0;
        maxQLen = 0;
        isFed = false;
        scoreRowsLeft = scoreRows;
    }

    int numTokens() {
        return numTokens;
    }

    /** Sequences, and forks of them, each behind the sequence's own. */
    int numSeqs() {
        return numSeqs;
    }

    /** Ways of trees of drafts beside the sequences' own. */
    int numForks() {
        return numForks;
    }

    /** Of {@link #copies}. */
    int numCopies() {
        return numCopies;
    }

    int copiesLeft() {
        return maxTokens - numCopies;
    }

    /** The blocks of the index-th where they are not its sequence's; null: they are. */
    @Nullable BlockFork fork(int index) {
        return forks[index];
    }

    boolean isFork(int index) {
        return forks[index] != null;
    }

    int numRows() {
        return numRows;
    }

    int numProcessed() {
        return numProcessed;
    }

    /** The row that is the index-th of those that processors change. */
    int processedRow(int index) {
        return processedRows[index];
    }

    int numGuided() {
        return numGuided;
    }

    /** The row that is the index-th of those that constraints lead. */
    int guidedRow(int index) {
        return guidedRows[index];
    }

    /** Processors or a constraint have failed at this row. */
    void fault(int row, EngineException why) {
        faults[row] = why;
    }

    /** Why the row's request cannot go on; null if its token is good. */
    @Nullable EngineException fault(int row) {
        EngineException why = faults[row];
        return why != null ? why : SampleStatus.fault(status[row], rowPosition[row]);
    }

    /** True if the row draws the token after those that are known. */
    boolean drawsBehindKnown(int row) {
        return rowForced[row] == DRAW
                && rowNode[row] == DraftTree.ROOT
                && rowMasking[row] != Masking.HELD;
    }

    int tokensLeft() {
        return mostTokens - numTokens;
    }

    /** What is here decodes; where anything does, so many tokens of prompts may come beside it. */
    void endDecodes(int mostOthers) {
        decodes = numTokens;
        int left = maxTokens - decodes;
        mostTokens = decodes + (decodes == 0 ? left : Math.min(left, mostOthers));
    }

    /** Tokens that were here before those of prompts. */
    int decodes() {
        return decodes;
    }

    /** Likeliest tokens wanted beside a row's own, over all rows. */
    int tops() {
        return tops;
    }

    /** Tokens of this step that belong to prompts. */
    int promptTokens() {
        return promptTokens;
    }

    /** Tokens of the sequence that has most. */
    int maxQLen() {
        return maxQLen;
    }

    /** True if the step before draws some of the tokens. */
    boolean isFed() {
        return isFed;
    }

    Sequence sequence(int index) {
        Sequence sequence = sequences[index];
        if (sequence == null) {
            throw new IndexOutOfBoundsException("index=" + index + " numSeqs=" + numSeqs);
        }
        return sequence;
    }

    /** Tokens of the index-th sequence in this step. */
    int tokensOf(int index) {
        return cuSeqlensQ[index + 1] - cuSeqlensQ[index];
    }

    /** Drafts of the index-th sequence, each counted once; none of a fork. */
    int draftsOf(int index) {
        return drafts[index];
    }

    /** Tokens of the index-th sequence in this step that are known and that it had not computed. */
    int knownOf(int index) {
        return known[index];
    }

    /** Drafts of all sequences. */
    int numDrafts() {
        return numDrafts;
    }

    /** True if the index-th sequence's tokens are part of a prompt, or several at once. */
    boolean isChunk(int index) {
        boolean isOfPrompt = seqlensKv[index] - tokensOf(index) < sequence(index).prompt.length;
        return !isFork(index) && (known[index] > 1 || isOfPrompt);
    }

    /** True if the index-th sequence's prompt is in the cache after this step. */
    boolean hasWholePrompt(int index) {
        return seqlensKv[index] >= sequence(index).prompt.length;
    }

    /** True if each sequence has one token and one drawn row: the shape that a graph replays. */
    boolean isPureDecode() {
        return numTokens == numSeqs && numRows == numSeqs && numDraws == numRows;
    }

    /**
     * Fills what lies behind a pure decode batch, up to so many sequences, with dead ones: they
     * have no keys, write none, and what they draw is nobody's.
     */
    void pad(int size) {
        for (int i = numSeqs; i < size; i++) {
            ids[i] = 0;
            fedRows[i] = KNOWN;
            positions[i] = 0;
            slots[i] = -1;
            cuSeqlensQ[i + 1] = i + 1;
            seqlensKv[i] = 0;
            rowToken[i] = i;
        }
    }

    /**
     * Adds the last token of a sequence and drafts behind it, each with the first way that it is
     * on; each draft has a row that draws what comes next. The sequence and the forks have blocks
     * for all of them.
     */
    void addDrafted(Sequence sequence, DraftTree tree, DraftPaths paths) {
        int first = numSeqs;
        int token = numTokens;
        for (int path = 0; path < paths.count(); path++) {
            addPath(sequence, paths, path);
        }
        known[first] = 1;
        drafts[first] = tree.size();
        for (int node = DraftTree.ROOT; node < tree.size(); node++) {
            int at = node == DraftTree.ROOT ? token : draftTokens[node];
            addDraw(sequence, first, at, positions[at] + 1, node);
        }
        tops = Math.max(tops, sequence.answer.tops());
        numDrafts += tree.size();
        numForks += paths.count() - 1;
    }

    private void addPath(Sequence sequence, DraftPaths paths, int path) {
        int count = paths.numOwn(path);
        paths.write(this, numTokens, path, sequence, draftTokens);
        numTokens += count;
        sequences[numSeqs] = sequence;
        forks[numSeqs] = path == 0 ? null : paths.fork(path);
        drafts[numSeqs] = 0;
        known[numSeqs] = 0;
        seqlensKv[numSeqs] = sequence.computed + 1 + paths.depth(path);
        cuSeqlensQ[numSeqs + 1] = numTokens;
        maxQLen = Math.max(maxQLen, count);
        numSeqs++;
    }

    /** What is computed in one slot is to be read in another as well. */
    void addCopy(long source, long destination) {
        copies[2 * numCopies] = source;
        copies[2 * numCopies + 1] = destination;
        numCopies++;
    }

    /** Adds the next tokens of a sequence, at most so many; how many fitted. */
    int add(Sequence sequence, int wanted) {
        int count = Math.min(Math.min(wanted, tokensLeft()), scorable(sequence));
        boolean draws = sequence.computed + count == sequence.length();
        if (draws && sequence.hasProcessors() && numProcessed == processedRows.length) {
            count--; // its row waits for a later step
        }
        if (count <= 0) {
            return 0;
        }
        int start = sequence.computed;
        for (int position = start; position < start + count; position++) {
            boolean isDrawing = sequence.isDrawing(position);
            ids[numTokens] = isDrawing ? 0 : sequence.token(position);
            fedRows[numTokens] = isDrawing ? sequence.drawingRow : KNOWN;
            isFed |= isDrawing;
            positions[numTokens] = position;
            slots[numTokens] = sequence.table.slot(position);
            numTokens++;
        }
        sequences[numSeqs] = sequence;
        seqlensKv[numSeqs] = start + count;
        cuSeqlensQ[numSeqs + 1] = numTokens;
        addRows(sequence, start, count);
        pooled.add(sequence, numSeqs, numTokens - count, start, count);
        maxQLen = Math.max(maxQLen, count);
        drafts[numSeqs] = 0;
        known[numSeqs] = count;
        promptTokens += Math.max(0, Math.min(sequence.prompt.length, start + count) - start);
        numSeqs++;
        return count;
    }

    /** Tokens that may be added before the rows for scoring run out. */
    private int scorable(Sequence sequence) {
        if (sequence.nextScore >= sequence.prompt.length) {
            return Integer.MAX_VALUE;
        }
        int end = sequence.firstScorePosition() + scoreRowsLeft;
        return end >= sequence.prompt.length - 1 ? Integer.MAX_VALUE : end - sequence.computed;
    }

    private void addRows(Sequence sequence, int start, int count) {
        int firstToken = numTokens - count;
        int lastScored = Math.min(start + count, sequence.prompt.length - 1);
        for (int p = sequence.firstScorePosition(); p < lastScored; p++) {
            rowNode[numRows] = DraftTree.ROOT;
            addRow(numSeqs, firstToken + p - start, sequence.prompt[p + 1], p + 1);
            scoreRowsLeft--;
            tops = Math.max(tops, sequence.request.promptLogprobs);
        }
        if (start + count == sequence.length() && sequence.maxOutput > 0) {
            addDraw(sequence, numSeqs, numTokens - 1, sequence.length(), DraftTree.ROOT);
            tops = Math.max(tops, sequence.answer.tops());
        }
    }

    private void addDraw(Sequence sequence, int owner, int token, int position, int node) {
        if (sequence.hasProcessors()) {
            processedRows[numProcessed++] = numRows;
        }
        if (sequence.guide != null) {
            guidedRows[numGuided++] = numRows;
        }
        numDraws++;
        rowState[numRows] = sequence.stateSlot;
        rowResets[numRows] = sequence.isStateNew;
        rowNode[numRows] = node;
        addRow(owner, token, DRAW, position);
    }

    private void addRow(int owner, int tokenIndex, int forced, long position) {
        rowToken[numRows] = tokenIndex;
        rowSequence[numRows] = owner;
        rowForced[numRows] = forced;
        rowMasking[numRows] = Masking.DRAWN;
        rowPosition[numRows] = position;
        numRows++;
    }
}
