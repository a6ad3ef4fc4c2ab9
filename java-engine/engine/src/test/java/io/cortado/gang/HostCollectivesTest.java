package io.cortado.gang;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.cortado.device.Buffer;
import io.cortado.device.Device;
import io.cortado.device.Stream;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Objects;
import java.util.Random;
import java.util.concurrent.atomic.AtomicReferenceArray;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class HostCollectivesTest {
    private static final long LONG = 60_000_000_000L;

    /** What a rank does, on a device of its own. */
    private interface Body {
        void run(Collectives gang, Device device, Stream stream);
    }

    private static void onAll(int size, long deadlineNanos, Body body) throws Exception {
        Transport[] transports = InProcessGang.create(size);
        AtomicReferenceArray<Throwable> faults = new AtomicReferenceArray<>(size);
        Thread[] threads = new Thread[size];
        for (int rank = 0; rank < size; rank++) {
            Transport transport = transports[rank];
            threads[rank] =
                    Thread.ofPlatform()
                            .start(() -> {
                                try {
                                    run(transport, deadlineNanos, body);
                                } catch (Throwable e) {
                                    faults.set(transport.rank(), e);
                                    transport.abort("a test has failed");
                                }
                            });
        }
        for (Thread thread : threads) {
            thread.join();
        }
        for (int rank = 0; rank < size; rank++) {
            if (faults.get(rank) != null) {
                throw new AssertionError("rank " + rank, faults.get(rank));
            }
        }
    }

    private static void run(Transport transport, long deadlineNanos, Body body) {
        try (Device device = Device.open("cpu", 1, "auto")) {
            HostCollectives gang = new HostCollectives(transport, deadlineNanos);
            try (Stream stream = device.createStream()) {
                body.run(gang, device, stream);
            }
            gang.close();
        }
    }

    private static float[] values(int rank, int count) {
        Random random = new Random(rank);
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
            values[i] = (float) random.nextGaussian() * (1 << random.nextInt(20));
        }
        return values;
    }

    private static float[] sum(int size, int count) {
        float[] sum = values(0, count);
        for (int rank = 1; rank < size; rank++) {
            float[] next = values(rank, count);
            for (int i = 0; i < count; i++) {
                sum[i] += next[i];
            }
        }
        return sum;
    }

    private void reduces(int size, int count) throws Exception {
        float[] expected = sum(size, count);
        onAll(
                size,
                LONG,
                (gang, device, stream) -> {
                    try (Buffer values = device.createBuffer(4L * count)) {
                        for (int turn = 0; turn < 3; turn++) {
                            values.host()
                                    .copyFrom(MemorySegment.ofArray(values(gang.rank(), count)));
                            gang.allReduce(values, count, stream);
                            stream.synchronize();
                            assertNull(gang.failure());
                            assertArrayEquals(
                                    expected,
                                    values.host()
                                            .asSlice(0, 4L * count)
                                            .toArray(ValueLayout.JAVA_FLOAT));
                        }
                    }
                });
    }

    @Test
    void addsUpInTheOrderOfTheRanks() throws Exception {
        reduces(1, 100);
        reduces(2, 100_003);
        reduces(3, 1);
        reduces(3, 1000);
        reduces(3, 100_003);
        reduces(4, 20_001);
    }

    @Test
    void gathersInTheOrderOfTheRanks() throws Exception {
        onAll(
                3,
                LONG,
                (gang, device, stream) -> {
                    try (Buffer all = device.createBuffer(24);
                            Buffer mine = device.createBuffer(8)) {
                        mine.host().set(ValueLayout.JAVA_LONG, 0, 10 + gang.rank());
                        gang.allGather(all, mine, 8, stream);
                        stream.synchronize();
                        assertArrayEquals(
                                new long[] {10, 11, 12},
                                all.host().asSlice(0, 24).toArray(ValueLayout.JAVA_LONG));
                    }
                    long[] told = new long[6];
                    gang.gather(told, new long[] {gang.rank(), 7});
                    assertArrayEquals(new long[] {0, 7, 1, 7, 2, 7}, told);
                });
    }

    @Test
    void sendsPartsOfDifferentLengths() throws Exception {
        onAll(
                3,
                LONG,
                (gang, device, stream) -> {
                    try (Buffer to = device.createBuffer(3 * 64);
                            Buffer toBytes = device.createBuffer(24);
                            Buffer from = device.createBuffer(3 * 64);
                            Buffer fromBytes = device.createBuffer(24)) {
                        for (int rank = 0; rank < 3; rank++) {
                            fromBytes
                                    .host()
                                    .setAtIndex(
                                            ValueLayout.JAVA_LONG, rank, 8L * gang.rank() * rank);
                            for (int i = 0; i < 8; i++) {
                                from.host()
                                        .setAtIndex(
                                                ValueLayout.JAVA_LONG,
                                                rank * 8L + i,
                                                100L * gang.rank() + 10 * rank + i);
                            }
                        }
                        gang.allToAll(to, toBytes, from, fromBytes, 64, stream);
                        stream.synchronize();
                        assertNull(gang.failure());
                        for (int rank = 0; rank < 3; rank++) {
                            long count = (long) rank * gang.rank();
                            assertEquals(
                                    8 * count,
                                    toBytes.host().getAtIndex(ValueLayout.JAVA_LONG, rank));
                            for (int i = 0; i < count; i++) {
                                assertEquals(
                                        100L * rank + 10 * gang.rank() + i,
                                        to.host().getAtIndex(ValueLayout.JAVA_LONG, rank * 8L + i));
                            }
                        }
                    }
                });
    }

    @Test
    void tellsWhenARankDoesNotCome() throws Exception {
        onAll(
                2,
                100_000_000L,
                (gang, device, stream) -> {
                    if (gang.rank() == 0) {
                        try (Buffer values = device.createBuffer(400)) {
                            IntStream.range(0, 5).forEach(_ -> gang.allReduce(values, 100, stream));
                            stream.synchronize();
                            assertNotNull(gang.failure());
                            assertThrows(
                                    GangException.class,
                                    () -> gang.gather(new long[2], new long[1]));
                        }
                    }
                });
    }

    @Test
    void tellsWhereSizesDiffer() throws Exception {
        onAll(
                2,
                LONG,
                (gang, device, stream) -> {
                    try (Buffer values = device.createBuffer(400)) {
                        gang.allReduce(values, 50 + gang.rank(), stream);
                        stream.synchronize();
                        assertEquals(
                                GangException.Kind.MISMATCH,
                                Objects.requireNonNull(gang.failure()).kind());
                    }
                });
    }
}
