package io.cortado.engine;

import io.cortado.device.Event;
import io.cortado.device.Stream;
import io.cortado.kv.BlockPool;
import io.cortado.model.BatchInputs;
import io.cortado.model.CausalLm;
import io.cortado.model.KvFile;
import io.cortado.model.KvTiers;
import java.io.IOException;
import java.lang.foreign.ValueLayout;

/**
 * What it takes to have 16 tokens' keys and values back that had to give way: out to host memory
 * and in again, or computed once more. Measured on the engine's own device when it opens.
 */
record TierRates(long moveNanosPerBlock, long computeNanosPerBlock) {
    private static final int MAX_TOKENS = 256;
    private static final int MAX_BLOCKS = 64;
    private static final int RUNS = 8;
    private static final long STALL_MS = 600_000;

    /** Whether to believe that moving pays. */
    enum Rule {
        MEASURED,
        /** For tests, whose models are too small for the measurement to say the same each time. */
        ALWAYS
    }

    /** Moving is worth it. */
    boolean movingPays() {
        return moveNanosPerBlock < computeNanosPerBlock;
    }

    /**
     * Before anything lies in the cache.
     *
     * @param hostBlocks blocks of the tier, at least 1
     */
    static TierRates measure(
            CausalLm model,
            KvTiers tiers,
            Stream stream,
            Event done,
            Limits limits,
            int numBlocks,
            int hostBlocks) {
        int blocks = Math.min(MAX_BLOCKS, Math.min(numBlocks, hostBlocks));
        int tokens =
                Math.min(
                        Math.min(MAX_TOKENS, limits.maxNumBatchedTokens()),
                        numBlocks * BlockPool.BLOCK_TOKENS);
        long move = Long.MAX_VALUE;
        long compute = Long.MAX_VALUE;
        try (KvTiers.Pairs pairs = tiers.createPairs();
                BatchInputs inputs = model.createInputs()) {
            int[] same = new int[2 * blocks];
            for (int i = 0; i < blocks; i++) {
                same[2 * i] = i;
                same[2 * i + 1] = i;
            }
            pairs.toHost(same, blocks);
            pairs.toDevice(same, blocks);
            fill(inputs, tokens);
            for (int run = 0; run < RUNS; run++) { // the first one warms up
                long start = System.nanoTime();
                tiers.enqueue(pairs, stream);
                await(stream, done);
                long moved = System.nanoTime();
                inputs.upload(1, stream);
                model.forward(inputs, tokens, 1, 0, tokens, stream);
                await(stream, done);
                move = Math.min(move, moved - start);
                compute = Math.min(compute, System.nanoTime() - moved);
            }
        }
        return new TierRates(move / blocks, compute * BlockPool.BLOCK_TOKENS / tokens);
    }

    /**
     * Time to read a block of the file, one after the other, when nothing is in it yet.
     *
     * @param blocks of the file and of the host's tier, at least so many
     */
    static long measureRead(KvFile file, int blocks) throws IOException {
        KvFile.Lane lane = file.lane();
        int count = Math.min(MAX_BLOCKS, blocks);
        long read = Long.MAX_VALUE;
        for (int i = 0; i < count; i++) {
            lane.write(i, i);
        }
        for (int run = 0; run < RUNS; run++) {
            long start = System.nanoTime();
            for (int i = 0; i < count; i++) {
                lane.read(i, i);
            }
            read = Math.min(read, System.nanoTime() - start);
        }
        return read / count;
    }

    /** Reading a block and moving it in is faster than computing it. */
    boolean readingPays(long readNanosPerBlock) {
        return readNanosPerBlock + moveNanosPerBlock < computeNanosPerBlock;
    }

    /** One sequence of zeros that writes nothing. */
    private static void fill(BatchInputs inputs, int tokens) {
        for (int i = 0; i < tokens; i++) {
            inputs.ids().setAtIndex(ValueLayout.JAVA_INT, i, 0);
            inputs.positions().setAtIndex(ValueLayout.JAVA_INT, i, i);
            inputs.slotMapping().setAtIndex(ValueLayout.JAVA_LONG, i, -1);
        }
        inputs.cuSeqlensQ().setAtIndex(ValueLayout.JAVA_INT, 0, 0);
        inputs.cuSeqlensQ().setAtIndex(ValueLayout.JAVA_INT, 1, tokens);
        inputs.seqlensKv().setAtIndex(ValueLayout.JAVA_INT, 0, tokens);
        for (int i = 0; i < BlockPool.blocksFor(tokens); i++) {
            inputs.blockTable().setAtIndex(ValueLayout.JAVA_INT, i, i);
        }
    }

    private static void await(Stream stream, Event done) {
        done.record(stream);
        if (!done.await(STALL_MS)) {
            throw new IllegalStateException("the device is stalled: waitedMs=" + STALL_MS);
        }
    }
}
