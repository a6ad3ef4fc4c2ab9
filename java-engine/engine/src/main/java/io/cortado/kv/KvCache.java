package io.cortado.kv;

import static java.util.Objects.requireNonNull;

import org.jspecify.annotations.Nullable;

/**
 * The blocks of a device, what they hold, a second tier of blocks in host memory that keeps what
 * the first evicts, and a third one on disk ({@link DiskTier}). Integers only: the bytes are moved
 * by their owner, before the step that is being prepared, in this order: {@link #toHost}, {@link
 * #toDevice}, {@link #copies}. For one thread.
 *
 * <p>A block may be shared as soon as the step that fills it is under way, since steps run one
 * after the other. What a move reads or writes in host memory, and what a copy reads, is held until
 * {@link #commit}.
 */
public final class KvCache {
    private final BlockPool device;
    private final @Nullable BlockPool host;
    private final @Nullable DiskTier disk;
    private final Moves toHost = new Moves();
    private final Moves toDevice = new Moves();
    private final Moves copies = new Moves();
    private int[] matched = new int[64];
    private boolean[] isOnHost = new boolean[64];
    private @Nullable BlockListener listener;

    /** Without a host tier. */
    public KvCache(int numBlocks) {
        this(numBlocks, 0);
    }

    /**
     * @param hostBlocks blocks of the host tier; 0: none
     */
    public KvCache(int numBlocks, int hostBlocks) {
        this(numBlocks, hostBlocks, 0);
    }

    /**
     * @param hostBlocks blocks of the host tier; 0: none
     * @param diskBlocks blocks of the disk tier; 0: none. Needs a host tier
     */
    public KvCache(int numBlocks, int hostBlocks, int diskBlocks) {
        if (diskBlocks > 0 && hostBlocks == 0) {
            throw new IllegalArgumentException(
                    "a disk tier needs a host tier: diskBlocks=" + diskBlocks);
        }
        host = hostBlocks == 0 ? null : new BlockPool(hostBlocks);
        disk = diskBlocks == 0 ? null : new DiskTier(requireNonNull(host), diskBlocks);
        device = new BlockPool(numBlocks, host == null ? null : this::offload);
    }

    /** The device's blocks. */
    public BlockPool pool() {
        return device;
    }

    /** The host's blocks; null without a host tier. */
    public @Nullable BlockPool hostPool() {
        return host;
    }

    /** The blocks on disk; null without a disk tier. */
    public @Nullable DiskTier disk() {
        return disk;
    }

    /**
     * Begins to bring back from the disk what a sequence that arrives can use; null if there is
     * nothing to wait for.
     *
     * @param reusable tokens from the first on that need not be computed
     */
    public DiskTier.@Nullable Fetch fetch(BlockKeys keys, int reusable) {
        int most = Math.min(keys.size(), reusable / BlockPool.BLOCK_TOKENS);
        return disk == null ? null : disk.fetch(device.index(), keys, most);
    }

    /** Evicted blocks: device to host. */
    public Moves toHost() {
        return toHost;
    }

    /** Blocks that are wanted again: host to device. */
    public Moves toDevice() {
        return toDevice;
    }

    /** Blocks whose first tokens are another's too: device to device. */
    public Moves copies() {
        return copies;
    }

    /**
     * Changes when more may be found than before: what had too few blocks has too few still while
     * this is the same and no more blocks are free.
     */
    public long stamp() {
        return device.index().entered();
    }

    public boolean hasMoves() {
        return toHost.size() + toDevice.size() + copies.size() > 0;
    }

    /**
     * What an admission found.
     *
     * @param reused tokens from the first on that need no computation
     * @param fromHost those of them that come back from host memory
     */
    public record Admission(int reused, int fromHost) {}

    /**
     * Fills an empty table with blocks for a sequence's tokens, as many of them shared, brought
     * back or copied as hold its first tokens already; null, and nothing has happened, if there are
     * not enough blocks.
     *
     * @param keys of the sequence's full blocks; null: reuse nothing
     * @param numTokens tokens to find a place for
     * @param reusable tokens from the first on that need not be computed
     * @param spare blocks to leave free
     */
    public @Nullable Admission admit(
            BlockTable table,
            @Nullable BlockKeys keys,
            TokenSource tokens,
            int numTokens,
            int reusable,
            int spare) {
        int whole = keys == null ? 0 : match(keys, reusable);
        int shared = count(whole, false);
        int free = device.available() - count(whole, true) - spare;
        int missing = BlockPool.blocksFor(numTokens) - shared;
        if (missing > free) {
            return null;
        }
        int first = whole * BlockPool.BLOCK_TOKENS;
        PrefixIndex.Part part =
                keys == null || reusable <= first
                        ? null
                        : device.index().longestPart(keys, whole, tokens, reusable - first);
        if (part != null && device.owners(part.block()) == 0 && missing + 1 > free) {
            part = null; // holding its block would take the last one
        }
        hold(whole, part);
        attach(table, whole, part);
        table.grow(device, numTokens);
        int copied = part == null ? 0 : part.tokens();
        return new Admission(first + copied, (whole - shared) * BlockPool.BLOCK_TOKENS);
    }

    /** The first blocks of a chain that either tier holds, into {@link #matched}; how many. */
    private int match(BlockKeys keys, int reusable) {
        int most = Math.min(keys.size(), reusable / BlockPool.BLOCK_TOKENS);
        if (matched.length < most) {
            matched = new int[Math.max(most, 2 * matched.length)];
            isOnHost = new boolean[matched.length];
        }
        for (int i = 0; i < most; i++) {
            long high = keys.high(i);
            long low = keys.low(i);
            matched[i] = device.index().find(high, low);
            isOnHost[i] = !PrefixIndex.isFound(matched[i]);
            if (isOnHost[i]) {
                matched[i] = host == null ? matched[i] : host.index().find(high, low);
                if (!PrefixIndex.isFound(matched[i])) {
                    return i;
                }
            }
        }
        return most;
    }

    /** Of what was matched: the device's blocks, or those of them that nobody uses. */
    private int count(int whole, boolean kept) {
        int count = 0;
        for (int i = 0; i < whole; i++) {
            count += !isOnHost[i] && (!kept || device.owners(matched[i]) == 0) ? 1 : 0;
        }
        return count;
    }

    /** Holds everything that is reused before anything is taken, which may evict. */
    private void hold(int whole, PrefixIndex.@Nullable Part part) {
        for (int i = 0; i < whole; i++) {
            (isOnHost[i] ? requireNonNull(host) : device).share(matched[i]);
        }
        if (part != null) {
            device.share(part.block());
        }
    }

    private void attach(BlockTable table, int whole, PrefixIndex.@Nullable Part part) {
        for (int i = 0; i < whole; i++) {
            int block = matched[i];
            if (isOnHost[i]) {
                block = device.take();
                device.index().putCopy(block, requireNonNull(host).index(), matched[i]);
                toDevice.add(matched[i], block);
            }
            table.append(device, block);
        }
        if (part != null) {
            int block = device.take();
            copies.add(part.block(), block);
            table.append(device, block);
        }
        table.offered(whole);
    }

    /**
     * Has what a sequence and its fork have in common in the fork's first block copied there.
     *
     * @param numCommon tokens
     */
    public void copyCommon(BlockTable table, BlockFork fork, int numCommon) {
        if (numCommon % BlockPool.BLOCK_TOKENS > 0) {
            int source = table.block(fork.first());
            device.share(source);
            copies.add(source, fork.block(0));
        }
    }

    /** The device's pool is about to take a kept block. */
    private void offload(PrefixIndex index, int block) {
        BlockPool tier = host;
        if (tier == null) {
            return;
        }
        int slot = tier.index().find(index.high(block), index.low(block));
        if (PrefixIndex.isFound(slot)) {
            tier.share(slot); // it is of use again: to go last
            tier.giveBack(slot);
        } else if (tier.available() > 0) {
            int taken = tier.take();
            tier.index().putCopy(taken, index, block);
            toHost.add(block, taken);
        }
    }

    /**
     * Lets others share the blocks of a table that are full.
     *
     * @param numComputed tokens whose keys and values are in the blocks once the steps under way
     *     have run
     */
    public void offer(BlockTable table, BlockKeys keys, TokenSource tokens, int numComputed) {
        int full = Math.min(keys.size(), numComputed / BlockPool.BLOCK_TOKENS);
        for (int i = table.offered(); i < full; i++) {
            device.index().put(table.block(i), keys, i, tokens);
        }
        table.offered(Math.max(full, table.offered()));
    }

    /** The moves are on their way: what they hold may go. */
    public void commit() {
        if (disk != null) {
            disk.committed(toHost, toDevice);
        }
        BlockPool tier = host;
        if (tier != null) {
            for (int i = 0; i < toHost.size(); i++) {
                tier.giveBack(toHost.destination(i));
            }
            for (int i = 0; i < toDevice.size(); i++) {
                tier.giveBack(toDevice.source(i));
            }
        }
        for (int i = 0; i < copies.size(); i++) {
            device.giveBack(copies.source(i));
        }
        toHost.clear();
        toDevice.clear();
        copies.clear();
    }

    /** One more step has run, in the order in which they were committed. */
    public void ran() {
        if (disk != null) {
            disk.ran();
        }
    }

    /** Tells a listener which blocks can be found, and from now on what changes about that. */
    public void listen(BlockListener heard) {
        listener = heard;
        attachListener(heard);
        device.index().tell();
        if (host != null) {
            host.index().tell();
        }
    }

    private void attachListener(@Nullable BlockListener heard) {
        device.index().listen(heard, BlockListener.Tier.DEVICE);
        if (host != null) {
            host.index().listen(heard, BlockListener.Tier.HOST);
        }
    }

    /** Forgets what nobody uses, in all tiers. No moves may be under way. */
    public void forget() {
        boolean isAll = isUnused(device) && (host == null || isUnused(host));
        if (isAll) {
            attachListener(null); // it is told of all at once
        }
        if (disk != null) {
            disk.forget();
        }
        device.forget();
        if (host != null) {
            host.forget();
        }
        if (isAll && listener != null) {
            attachListener(listener);
            listener.cleared();
        }
    }

    /** True if all that can be found there is in blocks that nobody uses. */
    private static boolean isUnused(BlockPool pool) {
        return pool.index().size() == pool.kept();
    }
}
