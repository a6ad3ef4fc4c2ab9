package io.cortado.kv;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The third tier: what the blocks of a file hold, and which of them go out and come back. Integers
 * only: the bytes are moved by their owner, on other threads, from {@link #next} to {@link #end}.
 * For one thread.
 *
 * <p>Blocks of the host tier that are about to be evicted are written ahead, so that evicting them
 * waits for nothing; one that has to go before its turn came is lost, which is a miss and no more.
 * What is wanted again is read into the host tier, from where it goes on like any other block.
 *
 * <p>A transfer holds its two blocks, so neither is taken for anything else meanwhile. The device's
 * copies on a stream are not seen by the threads that move these bytes: a transfer begins only when
 * the last step has run whose moves read or wrote its host block.
 */
public final class DiskTier {
    private static final int MOST_WRITES = 32;

    /** Blocks of the host tier, the next to go, that are kept written. */
    private static final int MOST_AHEAD = 64;

    private final BlockPool host;
    private final BlockPool blocks;
    private final int ahead;

    // By host block: the last step whose moves read or wrote it. Steps are counted from 1.
    private final long[] lastStep;
    private long committed;
    private long ran;

    private final ArrayDeque<Transfer> queued = new ArrayDeque<>();
    private final List<Transfer> open = new ArrayList<>();
    private final List<Integer> held = new ArrayList<>();
    private int writes;
    private long blocksRead;
    private boolean isReadOnly;

    DiskTier(BlockPool host, int numBlocks) {
        this.host = host;
        blocks = new BlockPool(numBlocks);
        ahead = Math.min(MOST_AHEAD, Math.max(1, host.total() / 2));
        lastStep = new long[host.total()];
    }

    /** The file's blocks. */
    public BlockPool pool() {
        return blocks;
    }

    /** Blocks that have come back, since the start. */
    public long blocksRead() {
        return blocksRead;
    }

    /** Transfers that have not ended. */
    public int open() {
        return open.size();
    }

    /** What an arriving sequence waits for. */
    public static final class Fetch {
        private final List<Transfer> transfers = new ArrayList<>();

        private Fetch() {}

        public boolean isDone() {
            return transfers.stream().allMatch(Transfer::hasEnded);
        }
    }

    /** A step with these moves is under way. */
    void committed(Moves toHost, Moves toDevice) {
        committed++;
        for (int i = 0; i < toHost.size(); i++) {
            lastStep[toHost.destination(i)] = committed;
        }
        for (int i = 0; i < toDevice.size(); i++) {
            lastStep[toDevice.source(i)] = committed;
        }
    }

    /** One more step has run; they run in the order in which they were committed. */
    void ran() {
        ran++;
    }

    /**
     * Begins to read, in order, what of a chain's first blocks is on the disk and in neither of the
     * other tiers, up to the first that is nowhere; null if there is nothing to wait for.
     */
    @Nullable Fetch fetch(PrefixIndex device, BlockKeys keys, int most) {
        Fetch fetch = new Fetch();
        for (int i = 0; i < most; i++) {
            long high = keys.high(i);
            long low = keys.low(i);
            if (PrefixIndex.isFound(device.find(high, low))) {
                continue;
            }
            int onHost = host.index().find(high, low);
            if (PrefixIndex.isFound(onHost)) {
                host.share(onHost); // what the reads take must not be the chain's own
                held.add(onHost);
                continue;
            }
            int block = blocks.index().find(high, low);
            if (!PrefixIndex.isFound(block)) {
                break;
            }
            Transfer transfer = reading(block);
            if (transfer == null && host.available() > 0) {
                transfer = read(block);
            }
            if (transfer == null) {
                break;
            }
            fetch.transfers.add(transfer);
        }
        held.forEach(host::giveBack);
        held.clear();
        return fetch.transfers.isEmpty() ? null : fetch;
    }

    /** The transfer that reads a block already; null: none. */
    private @Nullable Transfer reading(int block) {
        if (blocks.owners(block) == 0) {
            return null;
        }
        for (Transfer transfer : open) {
            if (transfer.kind() == Transfer.Kind.FROM_DISK && transfer.diskBlock() == block) {
                return transfer;
            }
        }
        return null;
    }

    private Transfer read(int block) {
        blocks.share(block);
        int taken = host.take();
        return enqueue(new Transfer(Transfer.Kind.FROM_DISK, taken, block, lastStep[taken]));
    }

    private Transfer enqueue(Transfer transfer) {
        queued.add(transfer);
        open.add(transfer);
        return transfer;
    }

    /** Writes what the host tier will evict next, as far as it is not on the disk. Once a step. */
    public void writeAhead() {
        if (isReadOnly || host.blank() >= ahead) {
            return;
        }
        int block = host.firstKept();
        for (int i = 0; i < ahead && block != host.total() && writes < MOST_WRITES; i++) {
            int next = host.keptAfter(block);
            PrefixIndex index = host.index();
            boolean isThere =
                    PrefixIndex.isFound(blocks.index().find(index.high(block), index.low(block)));
            if (!isThere && lastStep[block] <= ran && blocks.available() > 0) {
                host.share(block);
                writes++;
                enqueue(new Transfer(Transfer.Kind.TO_DISK, block, blocks.take(), lastStep[block]));
            }
            block = next;
        }
    }

    /** The next transfer, if it may begin; null: none yet. */
    public @Nullable Transfer next() {
        Transfer first = queued.peek();
        return first != null && first.after() <= ran ? queued.poll() : null;
    }

    /**
     * A transfer has ended.
     *
     * @param isRight the bytes have arrived as they were; else what was to be read is forgotten,
     *     and nothing is written any more after a write that failed
     */
    public void end(Transfer transfer, boolean isRight) {
        open.remove(transfer);
        transfer.end();
        int hostBlock = transfer.hostBlock();
        int block = transfer.diskBlock();
        switch (transfer.kind()) {
            case TO_DISK -> {
                writes--;
                isReadOnly |= !isRight;
                if (isRight && host.index().isKeyed(hostBlock)) {
                    blocks.index().putCopy(block, host.index(), hostBlock);
                }
                host.giveBackFirst(hostBlock);
            }
            case FROM_DISK -> {
                boolean isKeyed = blocks.index().isKeyed(block);
                if (isKeyed && isRight) {
                    host.index().putCopy(hostBlock, blocks.index(), block);
                    blocksRead++;
                } else if (isKeyed) {
                    blocks.index().remove(block);
                }
                host.giveBack(hostBlock);
            }
        }
        blocks.giveBack(block);
    }

    /** Forgets what nobody uses; what is on its way arrives without a name. */
    void forget() {
        for (Transfer transfer : open) {
            switch (transfer.kind()) {
                case TO_DISK -> removeKey(host.index(), transfer.hostBlock());
                case FROM_DISK -> removeKey(blocks.index(), transfer.diskBlock());
            }
        }
        blocks.forget();
    }

    private static void removeKey(PrefixIndex index, int block) {
        if (index.isKeyed(block)) {
            index.remove(block);
        }
    }
}
