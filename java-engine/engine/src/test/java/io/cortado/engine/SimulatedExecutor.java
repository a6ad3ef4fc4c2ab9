package io.cortado.engine;

import io.cortado.kv.BlockFork;
import io.cortado.kv.BlockPool;
import io.cortado.kv.KvCache;
import io.cortado.kv.Moves;
import io.cortado.kv.Transfer;
import io.cortado.model.Pooler;
import io.cortado.speculate.DraftTree;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.Set;
import java.util.WeakHashMap;
import org.jspecify.annotations.Nullable;

/**
 * Draws tokens that depend on the sequence's seed and the position only, and checks each batch
 * against the contract of the kernels. Batches run in the order of their submission, so what a
 * sequence finds in its blocks is what was last written there before.
 */
class SimulatedExecutor implements Executor {
    /** The most that any limits allow. */
    private static final int MAX_SEQS = 4096;

    private final int vocabSize;

    // By slot: what the keys that lie there were made from, all the tokens up to their own.
    private final long[] onDevice;
    private final long[] onHost;
    private final long[] onDisk;

    // Transfers under way, in no order; the bytes of half of them have arrived at once.
    private final Random disk = new Random(3);
    private final List<Transfer> transfers = new ArrayList<>();
    private final Set<Transfer> arrived = new HashSet<>();

    private final Map<Sequence, long[]> histories = new WeakHashMap<>();
    private final float[] sums;

    // By slot: whose tokens are counted there, and how many.
    private final @Nullable Sequence[] slotOwners = new @Nullable Sequence[MAX_SEQS];
    private final long[] slotCounts = new long[MAX_SEQS];

    private @Nullable Batch last;
    private long steps;

    SimulatedExecutor(int vocabSize, int numBlocks) {
        this(vocabSize, numBlocks, 0);
    }

    SimulatedExecutor(int vocabSize, int numBlocks, int hostBlocks) {
        this(vocabSize, numBlocks, hostBlocks, 0);
    }

    SimulatedExecutor(int vocabSize, int numBlocks, int hostBlocks, int diskBlocks) {
        this.vocabSize = vocabSize;
        onDisk = new long[diskBlocks * BlockPool.BLOCK_TOKENS];
        onDevice = new long[numBlocks * BlockPool.BLOCK_TOKENS];
        onHost = new long[hostBlocks * BlockPool.BLOCK_TOKENS];
        sums = new float[MAX_SEQS];
    }

    /** The token that a sequence must get at a position, whatever shares its batch. */
    static int tokenAt(long seed, long position, int vocabSize) {
        return (int) Math.floorMod(Seeds.ofAnswer(seed, (int) position), (long) vocabSize);
    }

    @Override
    public void submit(Batch batch, KvCache cache) {
        steps++;
        move(cache.toHost(), onDevice, onHost);
        move(cache.toDevice(), onHost, onDevice);
        for (int i = 0; i < cache.copies().size(); i++) {
            for (int other = 0; other < cache.copies().size(); other++) {
                int destination = cache.copies().destination(other);
                check(destination != cache.copies().source(i), "copy from a destination");
            }
        }
        move(cache.copies(), onDevice, onDevice);
        int own = 0;
        for (int i = 0; i < batch.numSeqs(); i++) {
            own = batch.isFork(i) ? own : i;
            check(batch.sequence(i) == batch.sequence(own), "fork");
            write(batch, i, i - own, batch.draftsOf(own) > 0);
        }
        check(batch.numTokens() == batch.cuSeqlensQ[batch.numSeqs()], "number of tokens");
        copySlots(batch);
        for (int i = 0; i < batch.numSeqs(); i++) {
            own = batch.isFork(i) ? own : i;
            if (batch.draftsOf(own) > 0) {
                checkDrafts(batch, i, i - own);
                checkKeys(batch.sequence(i), batch.fork(i), batch.sequence(i).computed + 1);
            } else {
                checkKeys(batch.sequence(i), batch.fork(i), batch.seqlensKv[i]);
            }
        }
        for (int row = 0; row < batch.numRows(); row++) {
            if (batch.rowForced[row] == Batch.DRAW) {
                count(batch, row);
            }
        }
        pool(batch);
        last = batch;
    }

    /** The keys of a sequence's tokens, or of those that one way of its drafts is the first of. */
    private void write(Batch batch, int i, int path, boolean isDrafted) {
        Sequence sequence = batch.sequence(i);
        int first = batch.cuSeqlensQ[i];
        int end = batch.cuSeqlensQ[i + 1];
        check(isDrafted || batch.knownOf(i) == batch.tokensOf(i), "number of known tokens");
        check(batch.fork(i) == null || batch.knownOf(i) == 0, "number of a fork's known tokens");
        for (int t = first; t < end; t++) {
            int position = batch.seqlensKv[i] - (end - t);
            int slot = (int) batch.slots[t];
            check(batch.positions[t] == position, "position");
            check(slot == slot(sequence, batch.fork(i), position), "slot");
            if (isDrafted && position > sequence.computed) {
                Drafts drafts = sequence.drafting();
                int node = node(drafts, path, position - sequence.computed);
                check(drafts.paths().pathOf(node) == path, "draft, which an earlier way has");
                check(batch.ids[t] == drafts.tree().token(node), "draft");
                onDevice[slot] = drafted(sequence, drafts.tree(), node, position);
            } else {
                checkId(batch, t, sequence, position);
                onDevice[slot] = content(sequence, position);
            }
        }
        int depth = isDrafted ? sequence.drafting().paths().depth(path) : batch.tokensOf(i) - 1;
        check(batch.seqlensKv[i] == sequence.computed + 1 + depth, "length");
    }

    /** The draft of a way that comes so many tokens behind the last known one. */
    private static int node(Drafts drafts, int path, int depth) {
        int node = drafts.paths().leaf(path);
        while (drafts.tree().depth(node) > depth) {
            node = drafts.tree().parent(node);
        }
        return node;
    }

    /** What is computed with one way of drafts and read on others; in any order. */
    private void copySlots(Batch batch) {
        for (int i = batch.numCopies() - 1; i >= 0; i--) {
            onDevice[(int) batch.copies[2 * i + 1]] = onDevice[(int) batch.copies[2 * i]];
        }
    }

    /** All that a way of drafts reads behind what is known is of the way's own drafts. */
    private void checkDrafts(Batch batch, int i, int path) {
        Sequence sequence = batch.sequence(i);
        Drafts drafts = sequence.drafting();
        for (int depth = 1; depth <= drafts.paths().depth(path); depth++) {
            int position = sequence.computed + depth;
            int slot = (int) slot(sequence, batch.fork(i), position);
            long key = drafted(sequence, drafts.tree(), node(drafts, path, depth), position);
            check(onDevice[slot] == key, "key of a draft");
        }
        int last = (int) slot(sequence, batch.fork(i), sequence.computed);
        check(onDevice[last] == content(sequence, sequence.computed), "last known key");
    }

    private static long slot(Sequence sequence, @Nullable BlockFork fork, int position) {
        boolean isOwn = fork == null || position < fork.first() * BlockPool.BLOCK_TOKENS;
        return fork == null || isOwn ? sequence.table.slot(position) : fork.slot(position);
    }

    /** Keys of a way up to a draft: right where all its tokens are. */
    private long drafted(Sequence sequence, DraftTree tree, int node, int position) {
        int at = node;
        for (int place = position; at != DraftTree.ROOT; place--) {
            if (tree.token(at) != tokenAt(sequence.seed, place, vocabSize)) {
                return -1;
            }
            at = tree.parent(at);
        }
        return content(sequence, position);
    }

    /** Two of three tokens are right, and in a tree sooner or later all. */
    @Override
    public void draft(Sequence[] sequences, int count) {
        for (int i = 0; i < count; i++) {
            Drafts drafts = sequences[i].drafting();
            DraftTree tree = drafts.tree();
            check(sequences[i].pending() == 1, "sequence that is drafted for");
            int most = drafts.wantsTree() ? tree.room() : drafts.wanted();
            int wanted = disk.nextInt(1 + most);
            for (int k = 0; k < wanted; k++) {
                int parent = drafts.wantsTree() ? disk.nextInt(1 + k) - 1 : k - 1;
                if (parent >= tree.size()) {
                    continue;
                }
                int depth = tree.depth(parent);
                int right = tokenAt(sequences[i].seed, drafts.size() + depth, vocabSize);
                int token = disk.nextInt(3) > 0 ? right : disk.nextInt(vocabSize);
                if (depth < drafts.wanted() && tree.child(parent, token) == DraftTree.NONE) {
                    tree.add(parent, token);
                }
            }
        }
    }

    /** A slot holds its sequence's output up to here, or begins anew with what the host knows. */
    private void count(Batch batch, int row) {
        Sequence sequence = batch.sequence(batch.rowSequence[row]);
        if (batch.rowNode[row] != DraftTree.ROOT) {
            return; // it counts nothing
        }
        int output = (int) batch.rowPosition[row] - sequence.prompt.length;
        RowParams params = sequence.request.rowParams;
        if (params.followsTokens()) {
            check(sequence.answer.size() == output, "row whose last token nobody knows");
        }
        int slot = batch.rowState[row];
        check(params.hasState() == (slot != Sequence.NO_SLOT), "slot");
        if (slot == Sequence.NO_SLOT) {
            return;
        }
        if (batch.rowResets[row]) {
            check(!params.keepsState() || output == 0, "slot whose counts were lost");
            slotOwners[slot] = sequence;
            slotCounts[slot] = sequence.answer.size();
        }
        slotCounts[slot] += batch.rowResets[row] ? 0 : sequence.uncounted;
        sequence.uncounted = 0;
        check(slotOwners[slot] == sequence, "slot, which is another's");
        check(slotCounts[slot] == output, "count");
        slotCounts[slot]++;
    }

    @Override
    public void start(Transfer transfer) {
        transfers.add(transfer);
        if (disk.nextBoolean()) {
            arrive(transfer);
        }
    }

    private void arrive(Transfer transfer) {
        arrived.add(transfer);
        int host = transfer.hostBlock() * BlockPool.BLOCK_TOKENS;
        int file = transfer.diskBlock() * BlockPool.BLOCK_TOKENS;
        switch (transfer.kind()) {
            case TO_DISK -> System.arraycopy(onHost, host, onDisk, file, BlockPool.BLOCK_TOKENS);
            case FROM_DISK -> System.arraycopy(onDisk, file, onHost, host, BlockPool.BLOCK_TOKENS);
        }
    }

    /** Some turns later, in any order; a few reads go wrong, and leave the host's block broken. */
    @Override
    public @Nullable Ended ended() {
        if (transfers.isEmpty() || disk.nextInt(3) > 0) {
            return null;
        }
        Transfer transfer = transfers.remove(disk.nextInt(transfers.size()));
        if (!arrived.remove(transfer)) {
            arrive(transfer);
        }
        boolean isRight = transfer.kind() == Transfer.Kind.TO_DISK || disk.nextInt(10) > 0;
        if (!isRight) {
            onHost[transfer.hostBlock() * BlockPool.BLOCK_TOKENS + disk.nextInt(16)]++;
        }
        return new Ended(transfer, isRight);
    }

    /** A hidden state of one dimension: the token's id. */
    private void pool(Batch batch) {
        PooledSegments pooled = batch.pooled;
        for (int i = 0; i < pooled.size(); i++) {
            int at = i * Pooler.SEGMENT;
            int sum = pooled.segments[at + 2];
            sums[sum] = pooled.segments[at + 3] == 1 ? 0 : sums[sum];
            for (int t = pooled.segments[at]; t < pooled.segments[at + 1]; t++) {
                sums[sum] += batch.ids[t];
            }
        }
        for (int i = 0; i < pooled.numFinished(); i++) {
            Request request = batch.sequence(pooled.finishedSequences[i]).request;
            Objects.requireNonNull(request.pooled).sums[0] = sums[pooled.finishedSums[i]];
        }
    }

    /** The moves of one kind run in any order. */
    private static void move(Moves moves, long[] from, long[] to) {
        for (int i = 0; i < moves.size(); i++) {
            for (int other = 0; other < moves.size(); other++) {
                check(
                        other == i || moves.destination(other) != moves.destination(i),
                        "destination of two moves");
            }
            System.arraycopy(
                    from,
                    moves.source(i) * BlockPool.BLOCK_TOKENS,
                    to,
                    moves.destination(i) * BlockPool.BLOCK_TOKENS,
                    BlockPool.BLOCK_TOKENS);
        }
    }

    /** What keys are made from: the tokens up to theirs, and the angles. */
    private long content(Sequence sequence, int position) {
        return history(sequence, position) ^ (sequence.isLong ? Long.MIN_VALUE : 0);
    }

    /** A hash of a sequence's tokens up to a position, drawn ones included. */
    private long history(Sequence sequence, int position) {
        long[] known =
                histories.computeIfAbsent(
                        sequence, s -> new long[1 + s.prompt.length + s.maxOutput]);
        if (known[position + 1] == 0) {
            long before = 17;
            for (int p = 0; p <= position; p++) {
                if (known[p + 1] == 0) {
                    int token =
                            p < sequence.prompt.length
                                    ? sequence.prompt[p]
                                    : tokenAt(sequence.seed, p, vocabSize);
                    known[p + 1] = Seeds.ofAnswer(before, token) | 1;
                }
                before = known[p + 1];
            }
        }
        return known[position + 1];
    }

    /**
     * All that attention reads is of the sequence's own tokens. One place of each block a step, in
     * turn.
     */
    private void checkKeys(Sequence sequence, @Nullable BlockFork fork, int length) {
        int first = (int) (steps % BlockPool.BLOCK_TOKENS);
        for (int position = first; position < length; position += BlockPool.BLOCK_TOKENS) {
            int slot = (int) slot(sequence, fork, position);
            check(onDevice[slot] == content(sequence, position), "key");
        }
    }

    /** What the host does not know yet is drawn by the batch before, for this very position. */
    private void checkId(Batch batch, int token, Sequence sequence, int position) {
        int row = batch.fedRows[token];
        if (row == Batch.KNOWN) {
            check(batch.ids[token] == sequence.token(position), "id");
        } else {
            Batch from = Objects.requireNonNull(last);
            check(from != batch && row < from.numRows(), "fed row");
            check(from.sequence(from.rowSequence[row]) == sequence, "fed sequence");
            check(from.rowForced[row] == Batch.DRAW, "fed row, which draws nothing");
            check(from.rowPosition[row] == position, "fed position");
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
