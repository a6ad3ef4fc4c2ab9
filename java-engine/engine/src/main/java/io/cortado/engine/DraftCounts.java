package io.cortado.engine;

import io.cortado.api.EngineStats;
import java.util.concurrent.atomic.AtomicLongArray;
import java.util.stream.LongStream;

/** What came of drafts since the start: the loop counts, any thread reads what was published. */
final class DraftCounts {
    private static final int VERIFIED = 0;
    private static final int TOKENS = 1;
    private static final int ACCEPTED = 2;
    private static final int NANOS = 3;
    private static final int FIRST_PLACE = 4;

    private final long[] counts;
    private final AtomicLongArray shared;

    /**
     * @param most tokens of a draft
     */
    DraftCounts(int most) {
        counts = new long[FIRST_PLACE + most];
        shared = new AtomicLongArray(counts.length);
    }

    /** The device's proposer took so long. */
    void proposed(long nanos) {
        counts[NANOS] += nanos;
    }

    /** A draft of so many tokens was verified. */
    void verified(int tokens, int accepted) {
        counts[VERIFIED]++;
        counts[TOKENS] += tokens;
        counts[ACCEPTED] += accepted;
        for (int place = 0; place < accepted; place++) {
            counts[FIRST_PLACE + place]++;
        }
    }

    void publish() {
        for (int i = 0; i < counts.length; i++) {
            shared.setPlain(i, counts[i]);
        }
    }

    EngineStats.Drafts snapshot() {
        return new EngineStats.Drafts(
                shared.get(VERIFIED),
                shared.get(TOKENS),
                shared.get(ACCEPTED),
                LongStream.range(FIRST_PLACE, counts.length)
                        .map(i -> shared.get((int) i))
                        .boxed()
                        .toList(),
                shared.get(NANOS));
    }
}
