package io.cortado.engine;

import io.cortado.kv.BlockFork;
import io.cortado.kv.BlockPool;
import io.cortado.kv.KvCache;
import io.cortado.kv.Moves;

/**
 * How far what drafts has read the tokens of each block. The blocks are the target's, which may
 * have written them alone. The loop's.
 */
final class ReadBlocks {
    private static final int TOKENS = BlockPool.BLOCK_TOKENS;

    /** The leading tokens of each block that were read. */
    private final byte[] read;

    /** The same of those in host memory. */
    private byte[] onHost = {};

    ReadBlocks(int numBlocks) {
        read = new byte[numBlocks];
    }

    /** There are so many blocks in host memory. */
    void host(int numBlocks) {
        onHost = new byte[numBlocks];
    }

    /** What a block holds goes where its keys and values go. */
    void moved(KvCache cache) {
        move(cache.toHost(), read, onHost);
        move(cache.toDevice(), onHost, read);
        move(cache.copies(), read, read);
    }

    private static void move(Moves moves, byte[] from, byte[] to) {
        int[] pairs = moves.array();
        for (int i = 0; i < moves.size(); i++) {
            to[pairs[2 * i + 1]] = from[pairs[2 * i]];
        }
    }

    /** The target alone has written tokens of a sequence: [from, to). */
    void wrote(Sequence sequence, int from, int to) {
        for (int position = from; position < to; position += TOKENS - position % TOKENS) {
            int block = block(sequence, position);
            read[block] = (byte) Math.min(read[block], position % TOKENS);
        }
    }

    /** The target alone has written tokens from one on, in blocks of their own. */
    void wrote(BlockFork fork, int from) {
        for (int i = 0; i < fork.size(); i++) {
            int block = fork.block(i);
            read[block] = i == 0 ? (byte) Math.min(read[block], from % TOKENS) : 0;
        }
    }

    /** What drafts has read tokens of a sequence: [from, to). */
    void read(Sequence sequence, int from, int to) {
        for (int position = from; position < to; ) {
            int place = position % TOKENS;
            int count = Math.min(to - position, TOKENS - place);
            int block = block(sequence, position);
            if (read[block] >= place) {
                read[block] = (byte) Math.max(read[block], place + count);
            }
            position += count;
        }
    }

    /** Tokens of a sequence that were read, from the first on; at most so many are looked at. */
    int readable(Sequence sequence, int most) {
        int length = 0;
        while (length < most) {
            int there = read[block(sequence, length)];
            length += there;
            if (there < TOKENS) {
                break;
            }
        }
        return Math.min(length, most);
    }

    private static int block(Sequence sequence, int position) {
        return (int) (sequence.table.slot(position) / TOKENS);
    }
}
