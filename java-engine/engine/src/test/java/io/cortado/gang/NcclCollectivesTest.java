package io.cortado.gang;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.device.Buffer;
import io.cortado.device.Device;
import io.cortado.device.HostQueue;
import io.cortado.device.Nccl;
import io.cortado.device.NcclAddresses;
import io.cortado.device.NcclException;
import io.cortado.device.Stream;
import io.cortado.gang.GangException.Kind;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Against a library that writes NCCL's calls down and moves bytes in host memory. */
@Timeout(120)
class NcclCollectivesTest {
    private static final long PATIENT_NANOS = TimeUnit.SECONDS.toNanos(60);
    private static final long SHORT_NANOS = TimeUnit.MILLISECONDS.toNanos(300);
    private static final int UNHANDLED = 1;

    /**
     * The host's memory is the device's, and the fake does its work at once: the stream is waited
     * for.
     */
    private static final NcclAddresses HOST =
            new NcclAddresses() {
                @Override
                public long of(Buffer buffer) {
                    return buffer.host().address();
                }

                @Override
                public long of(Stream stream) {
                    stream.synchronize();
                    return 0;
                }
            };

    private final FakeNccl fake = new FakeNccl();
    private final Nccl nccl = Nccl.open(FakeNccl.FILE);

    @BeforeEach
    void forgetCalls() {
        fake.reset();
    }

    private NcclCollectives alone(Device device, long deadlineNanos) {
        return NcclCollectives.join(nccl, nccl.uniqueId(), 0, 1, device, 64, deadlineNanos, HOST);
    }

    private static Device cpu() {
        return Device.open("cpu", 1, "auto");
    }

    private static void longs(Buffer buffer, long... values) {
        MemorySegment.copy(values, 0, buffer.host(), ValueLayout.JAVA_LONG, 0, values.length);
    }

    private static long[] longs(Buffer buffer) {
        return buffer.host().toArray(ValueLayout.JAVA_LONG);
    }

    @Test
    void callsNcclInOrder() {
        try (Device device = cpu();
                Stream stream = device.createStream();
                Buffer receive = device.createBuffer(64);
                Buffer receivedBytes = device.createBuffer(8);
                Buffer send = device.createBuffer(64);
                Buffer sentBytes = device.createHostBuffer(8);
                Buffer values = device.createBuffer(40)) {
            longs(sentBytes, 24);
            longs(send, 1, 2, 3);
            NcclCollectives alone = alone(device, PATIENT_NANOS);
            alone.allToAll(receive, receivedBytes, send, sentBytes, 64, stream);
            alone.allReduce(values, 10, stream);
            alone.allGather(receive, send, 4, stream);
            stream.synchronize();
            assertNull(alone.failure());
            alone.close();
            alone.close();
            assertEquals(24, longs(receivedBytes)[0]);
            assertEquals(3, longs(receive)[2]);
        }
        assertEquals(
                List.of(
                        "ncclGetUniqueId()",
                        "ncclCommInitRankConfig(1, 0, blocking=0)",
                        "ncclGroupStart()",
                        "ncclSend(8, 1, 0->0)",
                        "ncclRecv(8, 1, 0<-0)",
                        "ncclGroupEnd()",
                        "ncclGroupStart()",
                        "ncclSend(64, 1, 0->0)",
                        "ncclRecv(64, 1, 0<-0)",
                        "ncclGroupEnd()",
                        "ncclAllGather(40, 1, 0)",
                        "ncclAllGather(4, 1, 0)",
                        "ncclCommDestroy(0)"),
                fake.calls());
    }

    /** A rank's part of a test. */
    private interface Part {
        void run(NcclCollectives gang, Device device, Stream stream) throws Exception;
    }

    private void ranks(int size, long deadlineNanos, Part part) throws Exception {
        byte[] id = nccl.uniqueId();
        List<Future<?>> done = new ArrayList<>();
        try (ExecutorService threads = Executors.newFixedThreadPool(size)) {
            for (int i = 0; i < size; i++) {
                int rank = i;
                done.add(
                        threads.submit(() -> {
                            try (Device device = cpu();
                                    Stream stream = device.createStream();
                                    NcclCollectives gang =
                                            NcclCollectives.join(
                                                    nccl,
                                                    id,
                                                    rank,
                                                    size,
                                                    device,
                                                    64,
                                                    deadlineNanos,
                                                    HOST)) {
                                part.run(gang, device, stream);
                                stream.synchronize();
                            }
                            return null;
                        }));
            }
            for (Future<?> each : done) {
                each.get(100, TimeUnit.SECONDS);
            }
        }
    }

    @Test
    void exchangesPartsAndTheirLengths() throws Exception {
        ranks(
                3,
                PATIENT_NANOS,
                (gang, device, stream) -> {
                    try (Buffer receive = device.createBuffer(3 * 16);
                            Buffer receivedBytes = device.createBuffer(3 * 8);
                            Buffer send = device.createBuffer(3 * 16);
                            Buffer sentBytes = device.createHostBuffer(3 * 8)) {
                        long me = gang.rank();
                        longs(sentBytes, 16, me, 0);
                        for (int turn = 0; turn < 20; turn++) {
                            longs(send, 10 * me, turn, 10 * me + 1, turn, 10 * me + 2, turn);
                            gang.allToAll(receive, receivedBytes, send, sentBytes, 16, stream);
                            stream.synchronize();
                            assertNull(gang.failure());
                            assertArrayEquals(
                                    new long[] {me, turn, 10 + me, turn, 20 + me, turn},
                                    longs(receive));
                            long[] lengths =
                                    me == 0
                                            ? new long[] {16, 16, 16}
                                            : me == 1 ? new long[] {0, 1, 2} : new long[3];
                            assertArrayEquals(lengths, longs(receivedBytes));
                        }
                    }
                });
    }

    /** Added in another order these would be 0, 1 or 2. */
    @Test
    void addsInTheOrderOfTheRanks() throws Exception {
        float[] first = {1e8f, 1f, 3f, -0.5f};
        float[] second = {1f, 1e8f, 3f, 4f};
        float[] third = {-1e8f, -1e8f, 3f, 1e-9f};
        float[][] all = {first, second, third};
        ranks(
                3,
                PATIENT_NANOS,
                (gang, device, stream) -> {
                    try (Buffer values = device.createBuffer(16)) {
                        MemorySegment.copy(
                                all[gang.rank()], 0, values.host(), ValueLayout.JAVA_FLOAT, 0, 4);
                        gang.allReduce(values, 4, stream);
                        stream.synchronize();
                        float[] sums = values.host().toArray(ValueLayout.JAVA_FLOAT);
                        for (int i = 0; i < 4; i++) {
                            assertEquals(first[i] + second[i] + third[i], sums[i]);
                        }
                    }
                });
    }

    @Test
    void gathersInOrderAndOnTheHost() throws Exception {
        ranks(
                2,
                PATIENT_NANOS,
                (gang, device, stream) -> {
                    long me = gang.rank();
                    long[] all = new long[6];
                    gang.gather(all, new long[] {me, 7, -me});
                    assertArrayEquals(new long[] {0, 7, 0, 1, 7, -1}, all);
                    try (Buffer every = device.createBuffer(16);
                            Buffer mine = device.createBuffer(8)) {
                        longs(mine, 100 + me);
                        gang.allGather(every, mine, 8, stream);
                        stream.synchronize();
                        assertArrayEquals(new long[] {100, 101}, longs(every));
                    }
                });
    }

    @Test
    void waitsForOthersWithoutBlockingInNccl() {
        fake.initPolls(5);
        try (Device device = cpu();
                NcclCollectives alone = alone(device, PATIENT_NANOS)) {
            assertNull(alone.failure());
        }
    }

    @Test
    void givesUpOnRanksThatDoNotCome() {
        try (Device device = cpu()) {
            GangException error =
                    assertThrows(
                            GangException.class,
                            () ->
                                    NcclCollectives.join(
                                            nccl,
                                            nccl.uniqueId(),
                                            0,
                                            2,
                                            device,
                                            0,
                                            SHORT_NANOS,
                                            HOST));
            assertEquals(Kind.DEADLINE, error.kind());
            assertEquals("not all of 2 ranks came within 300 ms", error.getMessage());
        }
        assertEquals("ncclCommAbort(0)", fake.calls().getLast());
    }

    @ParameterizedTest
    @CsvSource({
        "ncclGroupStart, 1",
        "ncclGroupStart, 2",
        "ncclSend, 1",
        "ncclRecv, 2",
        "ncclGroupEnd, 1",
        "ncclGroupEnd, 2",
        "ncclAllGather, 1"
    })
    void endsTheGangWhenACallIsRefused(String function, int nth) {
        try (Device device = cpu();
                Stream stream = device.createStream();
                Buffer receive = device.createBuffer(64);
                Buffer receivedBytes = device.createBuffer(8);
                Buffer send = device.createBuffer(64);
                Buffer sentBytes = device.createHostBuffer(8);
                NcclCollectives alone = alone(device, PATIENT_NANOS)) {
            fake.fail(function, nth, UNHANDLED);
            alone.allToAll(receive, receivedBytes, send, sentBytes, 64, stream);
            alone.allReduce(send, 4, stream);
            stream.synchronize();
            GangException failure = alone.failure();
            assertNotNull(failure);
            assertEquals(Kind.TRANSPORT, failure.kind());
            assertTrue(
                    String.valueOf(failure.getMessage()).contains(function + ": a fake error (1)"),
                    failure.getMessage());
            List<String> calls = fake.calls();
            assertEquals("ncclCommAbort(0)", calls.getLast());
            alone.allGather(receive, send, 4, stream);
            assertEquals(failure, assertThrows(GangException.class, () -> gatherOne(alone)));
            assertEquals(calls, fake.calls());
            long starts = calls.stream().filter(call -> call.equals("ncclGroupStart()")).count();
            long ends = calls.stream().filter(call -> call.equals("ncclGroupEnd()")).count();
            assertEquals(starts - (function.equals("ncclGroupStart") ? 1 : 0), ends);
        }
        assertEquals("ncclCommAbort(0)", fake.calls().getLast()); // and is not destroyed as well
    }

    private static void gatherOne(NcclCollectives gang) {
        gang.gather(new long[1], new long[1]);
    }

    @Test
    void tellsWhatInitSays() {
        fake.fail("ncclCommInitRankConfig", 1, UNHANDLED);
        try (Device device = cpu()) {
            GangException error =
                    assertThrows(GangException.class, () -> alone(device, PATIENT_NANOS));
            assertEquals(
                    "rank 0 of 1 cannot join: ncclCommInitRankConfig: a fake error (1)",
                    error.getMessage());
        }
    }

    @Test
    void noticesAStalledRank() throws Exception {
        fake.stall(1);
        ranks(
                2,
                SHORT_NANOS,
                (gang, device, stream) -> {
                    try (Buffer values = device.createBuffer(16)) {
                        gang.allReduce(values, 4, stream);
                        stream.synchronize();
                        GangException failure = gang.failure();
                        assertNotNull(failure);
                        assertEquals(Kind.DEADLINE, failure.kind());
                    }
                });
    }

    @Test
    void noticesAnErrorThatComesLater() {
        try (Device device = cpu();
                NcclCollectives alone = alone(device, PATIENT_NANOS)) {
            assertNull(alone.failure());
            fake.asyncError(0, UNHANDLED);
            GangException failure = alone.failure();
            assertNotNull(failure);
            assertEquals(
                    "NCCL failed on rank 0: NCCL reports: a fake error (1)", failure.getMessage());
        }
    }

    @Test
    void tellsWhoEndedTheGang() {
        try (Device device = cpu();
                NcclCollectives alone = alone(device, PATIENT_NANOS)) {
            alone.abort("enough");
            alone.abort("again");
            GangException failure = alone.failure();
            assertNotNull(failure);
            assertEquals(Kind.ABORTED, failure.kind());
            assertEquals("rank 0 has ended the gang: enough", failure.getMessage());
        }
        assertEquals("ncclCommAbort(0)", fake.calls().getLast());
    }

    /** As a GPU whose kernel waits for a peer: nobody but the watch finds out. */
    @Test
    void noticesThatAStreamDoesNotGoOn() throws Exception {
        NcclAddresses atOnce =
                new NcclAddresses() {
                    @Override
                    public long of(Buffer buffer) {
                        return buffer.host().address();
                    }

                    @Override
                    public long of(Stream stream) {
                        return 0;
                    }
                };
        CountDownLatch stuck = new CountDownLatch(1);
        try (Device device = cpu();
                HostQueue<Object> calls =
                        new HostQueue<>(1, Object::new, _ -> awaitQuietly(stuck));
                Stream stream = device.createStream();
                Buffer values = device.createBuffer(16);
                NcclCollectives alone =
                        NcclCollectives.join(
                                nccl, nccl.uniqueId(), 0, 1, device, 64, SHORT_NANOS, atOnce)) {
            calls.next();
            calls.enqueue(stream);
            alone.allReduce(values, 4, stream);
            GangException failure = alone.failure();
            while (failure == null) {
                Thread.sleep(5);
                failure = alone.failure();
            }
            assertEquals(Kind.DEADLINE, failure.kind());
            stuck.countDown();
            stream.synchronize();
        }
    }

    private static void awaitQuietly(CountDownLatch latch) {
        try {
            latch.await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    @Test
    void refusesWhatDoesNotFit() {
        try (Device device = cpu();
                Stream stream = device.createStream();
                Buffer small = device.createBuffer(8);
                NcclCollectives alone = alone(device, PATIENT_NANOS)) {
            refused("stride", () -> alone.allToAll(small, small, small, small, 12, stream));
            refused("receive", () -> alone.allToAll(small, small, small, small, 16, stream));
            refused("count", () -> alone.allReduce(small, 65, stream));
            refused("values", () -> alone.allReduce(small, 3, stream));
            refused("bytes", () -> alone.allGather(small, small, 6, stream));
            refused("all", () -> alone.gather(new long[3], new long[2]));
            assertNull(alone.failure());
        }
    }

    private static void refused(String what, org.junit.jupiter.api.function.Executable call) {
        String message =
                String.valueOf(assertThrows(IllegalArgumentException.class, call).getMessage());
        assertTrue(message.startsWith(what), message);
    }

    @Test
    void ranksThatMeetOnTheHostFindEachOther() throws Exception {
        Transport[] ranks = InProcessGang.create(2);
        List<Future<?>> done = new ArrayList<>();
        try (ExecutorService threads = Executors.newFixedThreadPool(2)) {
            for (Transport transport : ranks) {
                done.add(threads.submit(() -> meet(transport)));
            }
            for (Future<?> each : done) {
                each.get(100, TimeUnit.SECONDS);
            }
        }
        assertEquals(1, fake.calls().stream().filter("ncclGetUniqueId()"::equals).count());
    }

    private void meet(Transport transport) {
        try (HostCollectives host = new HostCollectives(transport, PATIENT_NANOS);
                Device device = cpu();
                NcclCollectives gang =
                        NcclCollectives.join(nccl, host, device, 64, PATIENT_NANOS, HOST)) {
            long[] all = new long[2];
            gang.gather(all, new long[] {5 + gang.rank()});
            assertArrayEquals(new long[] {5, 6}, all);
        }
    }

    @Test
    void tellsItsFailureOnce() {
        List<GangException> told = new ArrayList<>();
        try (Device device = cpu();
                NcclCollectives alone = alone(device, PATIENT_NANOS)) {
            alone.onFailure(told::add);
            assertEquals(List.of(), told);
            alone.abort("enough");
            alone.abort("again");
            assertEquals(1, told.size());
            assertEquals(alone.failure(), told.getFirst());
            alone.onFailure(told::add);
            assertEquals(2, told.size());
        }
    }

    @Test
    void tellsWhatIsMissing() {
        String absent =
                String.valueOf(
                        assertThrows(
                                        NcclException.class,
                                        () -> Nccl.open(Path.of("/nowhere/libnccl.so.2")))
                                .getMessage());
        assertTrue(absent.contains("-Dcortado.cuda.path"), absent);
        Path other = FakeNccl.FILE.resolveSibling("libcortado.so");
        assertEquals(
                "this NCCL has no ncclGetErrorString",
                assertThrows(NcclException.class, () -> Nccl.open(other)).getMessage());
        assertEquals(23007, nccl.version());
    }
}
