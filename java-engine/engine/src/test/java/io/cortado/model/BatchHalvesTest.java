package io.cortado.model;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.device.Buffer;
import io.cortado.device.Device;
import io.cortado.device.Stream;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Every token of a batch is in one half, with the same place and sight as in the whole. */
class BatchHalvesTest {
    private static final int BLOCKS = 4;

    /** What attention knows of a token: its own position and slot, and the slots that it sees. */
    private record Seen(int position, long slot, List<Integer> blocks) {}

    @Test
    void leaveEachTokenWhatItSees() {
        Random random = new Random(5);
        BatchLimits limits = new BatchLimits(64, 9, 40, BLOCKS, 9);
        try (Device device = Device.open("cpu", 1, "auto");
                BatchInputs in = new BatchInputs(device, limits, 2);
                Stream stream = device.createStream()) {
            for (int turn = 0; turn < 300; turn++) {
                int numSeqs = 1 + random.nextInt(9);
                int numTokens = fill(in, numSeqs, random);
                if (numTokens < 2) {
                    continue;
                }
                List<Seen> whole = seen(in.layers(), numSeqs);
                BatchHalves halves = in.halve(numTokens, numSeqs, stream);
                List<Seen> both = seen(halves.first(), halves.firstSeqs());
                assertEquals(halves.firstTokens(), both.size());
                both.addAll(seen(halves.second(), halves.secondSeqs()));
                assertEquals(whole, both, "turn " + turn);
                assertTrue(halves.firstTokens() - halves.secondTokens() <= 1);
                assertEquals(numTokens, halves.firstTokens() + halves.secondTokens());
            }
        }
    }

    private static int fill(BatchInputs in, int numSeqs, Random random) {
        int token = 0;
        for (int seq = 0; seq < numSeqs; seq++) {
            int most = Math.min(40 - token - (numSeqs - 1 - seq), 17);
            int count = 1 + random.nextInt(random.nextBoolean() ? 1 : most);
            int before = random.nextInt(BLOCKS * 16 - count + 1);
            in.seqlensKv().setAtIndex(JAVA_INT, seq, before + count);
            for (int i = 0; i < BLOCKS; i++) {
                int block = i * 16 < before + count ? random.nextInt(64) : -7;
                in.blockTable().setAtIndex(JAVA_INT, seq * BLOCKS + i, block);
            }
            for (int i = 0; i < count; i++) {
                in.positions().setAtIndex(JAVA_INT, token, before + i);
                in.slotMapping().setAtIndex(JAVA_LONG, token, random.nextInt(1024) - 1L);
                token++;
            }
            in.cuSeqlensQ().setAtIndex(JAVA_INT, seq + 1, token);
        }
        return token;
    }

    /** The last of a sequence's tokens sees all of it, the one before one less. */
    private static List<Seen> seen(LayerInputs in, int numSeqs) {
        List<Seen> all = new ArrayList<>();
        for (int seq = 0; seq < numSeqs; seq++) {
            int end = get(in.cuSeqlensQ(), seq + 1);
            for (int token = get(in.cuSeqlensQ(), seq); token < end; token++) {
                int sees = get(in.seqlensKv(), seq) - (end - 1 - token);
                List<Integer> blocks = new ArrayList<>();
                for (int i = 0; i * 16 < sees; i++) {
                    blocks.add(get(in.blockTable(), seq * BLOCKS + i));
                }
                int position = get(in.positions(), token);
                assertEquals(position + 1, sees);
                assertEquals(position, in.hostPositions().getAtIndex(JAVA_INT, token));
                long slot = in.slotMapping().host().getAtIndex(JAVA_LONG, token);
                all.add(new Seen(position, slot, blocks));
            }
        }
        return all;
    }

    private static int get(Buffer ints, int index) {
        return ints.host().getAtIndex(JAVA_INT, index);
    }
}
