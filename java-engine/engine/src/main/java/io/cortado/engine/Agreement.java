package io.cortado.engine;

import io.cortado.api.EngineOptions;
import io.cortado.gang.GangException;
import io.cortado.gang.Parts;
import io.cortado.gang.Transport;
import io.cortado.model.ModelConfig;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.concurrent.TimeUnit;

/** What ranks in several processes make sure of once their weights are loaded. */
final class Agreement {
    /** Of the exchange: none of the collectives'. */
    private static final int KIND = 64;

    /** Version of {@link StepMessage} and of this. */
    private static final long VERSION = 2;

    private static final long LOADING_NANOS = TimeUnit.MINUTES.toNanos(30);
    private static final int WORDS = 3;

    private Agreement() {}

    /**
     * Waits for all ranks and compares what they run.
     *
     * @param blocks of the KV cache that this rank has room for
     * @return what all have room for
     * @throws GangException if a rank does not come in half an hour or runs something else
     */
    static int blocks(Transport transport, EngineOptions options, ModelConfig config, int blocks) {
        int size = transport.size();
        try (Arena arena = Arena.ofConfined()) {
            long bytes = WORDS * (long) Long.BYTES;
            MemorySegment mine = arena.allocate(bytes, Long.BYTES);
            MemorySegment all = arena.allocate(size * bytes, Long.BYTES);
            put(mine, 0, VERSION);
            put(mine, 1, fingerprint(options, config));
            put(mine, 2, blocks);
            Parts send = new Parts(mine, size);
            for (int rank = 0; rank < size; rank++) {
                send.set(rank, 0, bytes);
                send.fill(rank, bytes);
            }
            Parts receive = Parts.even(all, size, bytes);
            transport.exchange(KIND, send, receive, LOADING_NANOS);
            int least = blocks;
            for (int rank = 0; rank < size; rank++) {
                require(transport, receive.bytes(rank) == bytes, rank, "version");
                int at = rank * WORDS;
                require(transport, get(all, at) == VERSION, rank, "version");
                require(transport, get(all, at + 1) == get(mine, 1), rank, "model or options");
                least = (int) Math.min(least, get(all, at + 2));
            }
            return least;
        }
    }

    private static void put(MemorySegment words, int index, long value) {
        words.setAtIndex(ValueLayout.JAVA_LONG, index, value);
    }

    private static long get(MemorySegment words, int index) {
        return words.getAtIndex(ValueLayout.JAVA_LONG, index);
    }

    private static void require(Transport transport, boolean holds, int rank, String what) {
        if (!holds) {
            String why =
                    "rank %d runs another %s than rank %d".formatted(rank, what, transport.rank());
            transport.abort(why);
            throw new GangException(GangException.Kind.MISMATCH, why);
        }
    }

    /** Of all that decides what a step computes and how it is told. */
    private static long fingerprint(EngineOptions options, ModelConfig config) {
        String text =
                config.describe()
                        + options.activations()
                        + options.kvCacheDtype()
                        + options.maxModelLen()
                        + '/'
                        + options.maxNumSeqs()
                        + '/'
                        + options.maxNumBatchedTokens()
                        + options.deterministic()
                        + options.speculation()
                        + options.dummyWeights();
        long hash = 0;
        for (int i = 0; i < text.length(); i++) {
            hash = hash * 0x5851f42d4c957f2dL + text.charAt(i) + 1;
        }
        return hash;
    }
}
