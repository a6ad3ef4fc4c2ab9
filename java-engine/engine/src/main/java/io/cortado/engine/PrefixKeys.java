package io.cortado.engine;

import io.cortado.kv.BlockHasher;
import io.cortado.kv.BlockKeys;
import io.cortado.kv.BlockPool;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/** Makes the keys under which prompts' blocks are shared, on the caller's thread. Any thread. */
final class PrefixKeys {
    private final String model;
    private final boolean isShared;
    private final int otherAnglesAbove;
    private final AtomicLong alone = new AtomicLong();

    /**
     * @param isShared requests share prefixes; else only the answers of one request do
     * @param otherAnglesAbove longer sequences rotate all their tokens by other angles
     */
    PrefixKeys(String model, boolean isShared, int otherAnglesAbove) {
        this.model = model;
        this.otherAnglesAbove = otherAnglesAbove;
        this.isShared = isShared;
    }

    /** No block yet, of requests that share with all others. */
    static BlockKeys shared(String model) {
        return new BlockHasher().start(1, model, "", "", "");
    }

    /**
     * Null where there is nobody to share with.
     *
     * @param maxTokens the most that prompt and output will have
     */
    @Nullable BlockKeys of(int[] prompt, int n, int maxTokens, String salt) {
        boolean isLong = prompt.length > otherAnglesAbove;
        boolean growsLong = !isLong && maxTokens > otherAnglesAbove; // and computes all again
        if (growsLong || (!isShared && n == 1)) {
            return null;
        }
        String owner = isShared ? "" : "request " + alone.incrementAndGet();
        BlockHasher hasher = new BlockHasher();
        BlockKeys keys =
                hasher.start(
                        BlockPool.blocksFor(maxTokens), model, salt, owner, isLong ? "long" : "");
        hasher.extend(keys, position -> prompt[position], prompt.length);
        return keys;
    }
}
