package io.cortado.gang;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.net.ConnectException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Ranks as threads that meet, without UCX. */
@Timeout(60)
class MeetingTest {
    private static final long LONG = TimeUnit.SECONDS.toNanos(30);
    private static final long SHORT = TimeUnit.MILLISECONDS.toNanos(300);
    private static final byte[] AGREEMENT = "model=a tp=2".getBytes(StandardCharsets.UTF_8);

    @TempDir private Path folder;

    private final Random nonces = new Random(1);

    private interface Place {
        Meeting meeting();
    }

    private Place place(String kind) throws IOException {
        if (kind.equals("folder")) {
            return () -> new FolderMeeting(folder);
        }
        GangSettings.Place.Port port = FreePort.next();
        return () -> new PortMeeting(port);
    }

    private Hello hello(int rank, int size) {
        return new Hello(Hello.VERSION, nonces.nextLong(), size, rank, AGREEMENT, address(rank));
    }

    private static byte[] address(int rank) {
        return ("address " + rank).getBytes(StandardCharsets.UTF_8);
    }

    /** Each in a thread; what it got or what it threw. */
    private static List<Object> meet(Place place, long nanos, Hello... hellos) throws Exception {
        long until = System.nanoTime() + nanos;
        List<Callable<Object>> calls = new ArrayList<>();
        for (Hello hello : hellos) {
            calls.add(() -> place.meeting().meet(hello, until));
        }
        List<Object> results = new ArrayList<>();
        try (ExecutorService threads = Executors.newCachedThreadPool()) {
            for (Future<Object> call : threads.invokeAll(calls)) {
                try {
                    results.add(call.get());
                } catch (ExecutionException e) {
                    results.add(e.getCause());
                }
            }
        }
        return results;
    }

    private static void assertGang(List<Object> results, int size) {
        for (Object result : results) {
            List<?> addresses = assertInstanceOf(List.class, result, String.valueOf(result));
            assertEquals(size, addresses.size());
            for (int rank = 0; rank < size; rank++) {
                assertArrayEquals(address(rank), (byte[]) addresses.get(rank));
            }
        }
    }

    private static void assertFailed(
            @Nullable Object result, GangException.Kind kind, String... texts) {
        GangException e = assertInstanceOf(GangException.class, result, String.valueOf(result));
        assertEquals(kind, e.kind(), e.getMessage());
        for (String text : texts) {
            assertTrue(String.valueOf(e.getMessage()).contains(text), e.getMessage());
        }
    }

    private static void assertAllFailed(
            List<Object> results, GangException.Kind kind, String... texts) {
        results.forEach(result -> assertFailed(result, kind, texts));
    }

    @ParameterizedTest
    @ValueSource(strings = {"folder", "port"})
    void ranksLearnAddressesInTheirOrder(String kind) throws Exception {
        Place place = place(kind);
        assertGang(meet(place, LONG, hello(2, 4), hello(1, 4), hello(0, 4), hello(3, 4)), 4);
        // Others at the same place at once, whatever the first has left there.
        for (int gang = 0; gang < 40; gang++) {
            assertGang(meet(place, LONG, hello(1, 2), hello(0, 2)), 2);
            assertGang(meet(place, LONG, hello(0, 1)), 1);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"folder", "port"})
    void aMissingRankIsNamedToAll(String kind) throws Exception {
        List<Object> results = meet(place(kind), SHORT, hello(0, 4), hello(2, 4));
        assertAllFailed(results, GangException.Kind.DEADLINE, "rank 1, 3 of 4 did not come");
    }

    @ParameterizedTest
    @ValueSource(strings = {"folder", "port"})
    void withoutRank0NothingComesAbout(String kind) throws Exception {
        List<Object> results = meet(place(kind), SHORT, hello(1, 3), hello(2, 3));
        assertAllFailed(results, GangException.Kind.DEADLINE, "rank 0");
    }

    @ParameterizedTest
    @ValueSource(strings = {"folder", "port"})
    void anotherVersionIsToldToAll(String kind) throws Exception {
        Hello other = new Hello(7, 3, 2, 1, AGREEMENT, address(1));
        assertAllFailed(
                meet(place(kind), LONG, hello(0, 2), other),
                GangException.Kind.MISMATCH,
                "version=7",
                "version=1");
    }

    @ParameterizedTest
    @ValueSource(strings = {"folder", "port"})
    void theOthersAreToldOfAMismatchAsWell(String kind) throws Exception {
        Hello[] hellos = new Hello[8];
        for (int rank = 0; rank < hellos.length; rank++) {
            hellos[rank] = hello(rank, rank == 5 ? 9 : 8);
        }
        assertAllFailed(
                meet(place(kind), LONG, hellos),
                GangException.Kind.MISMATCH,
                "rank 5 has WORLD_SIZE=9, rank 0 WORLD_SIZE=8");
    }

    @ParameterizedTest
    @ValueSource(strings = {"folder", "port"})
    void anotherWorldSizeIsToldToAll(String kind) throws Exception {
        assertAllFailed(
                meet(place(kind), LONG, hello(0, 2), hello(1, 3)),
                GangException.Kind.MISMATCH,
                "rank 1 has WORLD_SIZE=3, rank 0 WORLD_SIZE=2");
    }

    @ParameterizedTest
    @ValueSource(strings = {"folder", "port"})
    void aRankOutsideTheGangIsToldToAll(String kind) throws Exception {
        assertAllFailed(
                meet(place(kind), LONG, hello(0, 2), hello(2, 2)),
                GangException.Kind.MISMATCH,
                "RANK=2",
                "WORLD_SIZE=2");
    }

    @ParameterizedTest
    @ValueSource(strings = {"folder", "port"})
    void aRankThatIsThereTwiceIsToldToAll(String kind) throws Exception {
        List<Object> results = meet(place(kind), SHORT, hello(0, 3), hello(1, 3), hello(1, 3));
        assertAllFailed(results, GangException.Kind.MISMATCH, "two processes have RANK=1");
    }

    @ParameterizedTest
    @ValueSource(strings = {"folder", "port"})
    void anotherAgreementIsShownToAll(String kind) throws Exception {
        byte[] other = "model=b tp=2".getBytes(StandardCharsets.UTF_8);
        Hello different = new Hello(Hello.VERSION, 5, 2, 1, other, address(1));
        assertAllFailed(
                meet(place(kind), LONG, hello(0, 2), different),
                GangException.Kind.MISMATCH,
                "\"model=b tp=2\"",
                "\"model=a tp=2\"");
    }

    @Test
    void aLongAgreementIsShownByItsHash() {
        Hello binary = new Hello(Hello.VERSION, 5, 2, 1, new byte[] {1, 2, 3}, address(1));
        assertEquals("sha256:039058c6f2c0cb49", binary.agreementText());
    }

    @Test
    void strangersAtThePortDoNoHarm() throws Exception {
        GangSettings.Place.Port port = FreePort.next();
        Place place = () -> new PortMeeting(port);
        long until = System.nanoTime() + LONG;
        try (ExecutorService threads = Executors.newCachedThreadPool()) {
            Future<List<byte[]>> first =
                    threads.submit(() -> place.meeting().meet(hello(0, 2), until));
            try (Socket silent = connect(port);
                    Socket loud = connect(port)) {
                try (Socket gone = connect(port)) {
                    assertTrue(gone.isConnected());
                }
                loud.getOutputStream()
                        .write("GET / HTTP/1.1\r\n\r\n".getBytes(StandardCharsets.US_ASCII));
                assertEquals(-1, loud.getInputStream().read(), "it is sent away");
                Future<List<byte[]>> second =
                        threads.submit(() -> place.meeting().meet(hello(1, 2), until));
                assertGang(List.of(first.get(), second.get()), 2);
                assertEquals(-1, silent.getInputStream().read(), "it is told nothing");
            }
        }
    }

    @Test
    void damagedHellosDoNoHarm() throws Exception {
        Random random = new Random(3);
        byte[] good = hello(1, 2).encode();
        for (int i = 0; i < 2000; i++) {
            byte[] bad = good.clone();
            for (int change = random.nextInt(4); change >= 0; change--) {
                bad[random.nextInt(bad.length)] = (byte) random.nextInt();
            }
            byte[] cut = Arrays.copyOf(bad, random.nextInt(bad.length + 1));
            for (byte[] bytes : new byte[][] {bad, cut}) {
                decodesOrIsRefused(() -> Hello.decode(bytes));
                decodesOrIsRefused(() -> Answer.decode(bytes));
            }
        }
    }

    private static void decodesOrIsRefused(Callable<Object> decode) throws Exception {
        try {
            decode.call();
        } catch (IOException e) {
            assertFalse(e.toString().isEmpty());
        }
    }

    @Test
    void aConnectionThatMeetsItselfIsNoticed() throws Exception {
        GangSettings.Place.Port port = FreePort.next();
        try (Socket socket = new Socket()) {
            socket.bind(new InetSocketAddress(port.host(), port.port()));
            socket.connect(new InetSocketAddress(port.host(), port.port()));
            assertTrue(PortMeeting.isItself(socket));
        }
        try (ServerSocket server = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
                Socket socket = new Socket("127.0.0.1", server.getLocalPort())) {
            assertFalse(PortMeeting.isItself(socket));
        }
    }

    private static Socket connect(GangSettings.Place.Port place) throws Exception {
        while (true) {
            try {
                return new Socket(place.host(), place.port());
            } catch (ConnectException e) {
                Thread.onSpinWait();
            }
        }
    }

    @Test
    void aStrangerInTheStationOfRank0IsNamed() throws Exception {
        try (ServerSocket server = new ServerSocket(0, 9, InetAddress.getLoopbackAddress());
                ExecutorService threads = Executors.newCachedThreadPool()) {
            Place place =
                    () ->
                            new PortMeeting(
                                    new GangSettings.Place.Port(
                                            "127.0.0.1", server.getLocalPort()));
            threads.submit(() -> {
                try (Socket guest = server.accept()) {
                    guest.getInputStream().read();
                    guest.getOutputStream()
                            .write("HTTP/1.1 400 no\r\n".getBytes(StandardCharsets.US_ASCII));
                    guest.shutdownOutput();
                    guest.getInputStream().readAllBytes();
                }
                return null;
            });
            Object result = meet(place, LONG, hello(1, 2)).getFirst();
            assertFailed(result, GangException.Kind.TRANSPORT, "no rank 0 of a gang");
        }
    }

    @Test
    void aRankThatDiesDuringTheRendezvousEndsIt() throws Exception {
        GangSettings.Place.Port port = FreePort.next();
        Place place = () -> new PortMeeting(port);
        try (ExecutorService threads = Executors.newCachedThreadPool()) {
            Future<List<Object>> rank0 = threads.submit(() -> meet(place, LONG, hello(0, 3)));
            try (Socket dying = connect(port)) {
                dying.getOutputStream().write(hello(1, 3).encode());
            }
            assertFailed(
                    rank0.get().getFirst(),
                    GangException.Kind.ABORTED,
                    "rank 1 has left the rendezvous");
        }
    }

    @Test
    void aPortInUseIsNamed() throws Exception {
        try (ServerSocket server = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            GangSettings.Place.Port port =
                    new GangSettings.Place.Port("127.0.0.1", server.getLocalPort());
            var e =
                    assertThrows(
                            GangException.class,
                            () ->
                                    new PortMeeting(port)
                                            .meet(hello(0, 2), System.nanoTime() + LONG));
            assertFailed(e, GangException.Kind.TRANSPORT, "cannot listen at " + port);
        }
    }

    /** All that a gang that died at any point may have left: no later one is misled. */
    @ParameterizedTest
    @ValueSource(strings = {"begun", "complete", "refused"})
    void whatAnEarlierGangHasLeftMisleadsNobody(String state) throws Exception {
        Place place = () -> new FolderMeeting(folder);
        switch (state) {
            case "begun" -> meet(place, SHORT, hello(0, 3), hello(1, 3));
            case "complete" -> assertGang(meet(place, LONG, hello(0, 2), hello(1, 2)), 2);
            default -> meet(place, LONG, hello(0, 2), hello(1, 7));
        }
        assertTrue(Files.exists(folder.resolve("run")));
        // Rank 1 comes first and sees only the old.
        try (ExecutorService threads = Executors.newCachedThreadPool()) {
            long until = System.nanoTime() + LONG;
            Future<List<byte[]>> early =
                    threads.submit(() -> place.meeting().meet(hello(1, 2), until));
            Path old = folder.resolve(Files.readString(folder.resolve("run")));
            while (hellos(old) < 2) {
                Thread.onSpinWait();
            }
            assertFalse(early.isDone());
            Meeting rank0 = place.meeting();
            List<byte[]> addresses = rank0.meet(hello(0, 2), until);
            assertGang(List.of(addresses, early.get()), 2);
            rank0.finish();
            try (Stream<Path> left = Files.list(folder)) {
                assertEquals(List.of(), left.toList());
            }
        }
    }

    private static long hellos(Path gang) throws IOException {
        try (Stream<Path> files = Files.list(gang)) {
            return files.filter(file -> file.getFileName().toString().startsWith("hello-")).count();
        }
    }

    @Test
    void aSecondRank0IsNoticedByTheFirst() throws Exception {
        try (ExecutorService threads = Executors.newCachedThreadPool()) {
            long until = System.nanoTime() + LONG;
            Future<List<byte[]>> first =
                    threads.submit(() -> new FolderMeeting(folder).meet(hello(0, 2), until));
            while (!Files.exists(folder.resolve("run"))) {
                Thread.onSpinWait();
            }
            Future<List<byte[]>> second =
                    threads.submit(() -> new FolderMeeting(folder).meet(hello(0, 2), until));
            ExecutionException e = assertThrows(ExecutionException.class, first::get);
            assertFailed(
                    Objects.requireNonNull(e.getCause()),
                    GangException.Kind.MISMATCH,
                    "another process with RANK=0");
            List<byte[]> joined = new FolderMeeting(folder).meet(hello(1, 2), until);
            assertGang(List.of(joined, second.get()), 2);
        }
    }
}
