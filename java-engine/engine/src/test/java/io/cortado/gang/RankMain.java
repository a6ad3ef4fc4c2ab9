package io.cortado.gang;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.TimeUnit;

/**
 * A rank in a process of its own, for {@link UcxGangTest}: each line of its input is a gang to
 * belong to, one after the other. It says where it is, then DONE, FAILED with the kind of the
 * failure, or BROKEN.
 */
final class RankMain {
    static final int SPINS = 50;

    /**
     * What a rank is told.
     *
     * @param large whether messages are of megabytes
     */
    record Command(
            int rank,
            int size,
            String place,
            int version,
            long joinMillis,
            long exchangeMillis,
            int exchanges,
            long seed,
            boolean large) {
        String line() {
            return String.join(
                    " ",
                    String.valueOf(rank),
                    String.valueOf(size),
                    place,
                    String.valueOf(version),
                    String.valueOf(joinMillis),
                    String.valueOf(exchangeMillis),
                    String.valueOf(exchanges),
                    String.valueOf(seed),
                    String.valueOf(large));
        }

        static Command of(String line) {
            String[] words = line.split(" ", -1);
            return new Command(
                    Integer.parseInt(words[0]),
                    Integer.parseInt(words[1]),
                    words[2],
                    Integer.parseInt(words[3]),
                    Long.parseLong(words[4]),
                    Long.parseLong(words[5]),
                    Integer.parseInt(words[6]),
                    Long.parseLong(words[7]),
                    Boolean.parseBoolean(words[8]));
        }
    }

    private RankMain() {}

    public static void main(String[] arguments) throws IOException {
        BufferedReader in =
                new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        say("READY");
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            Command command = Command.of(line);
            try (Arena arena = Arena.ofConfined()) {
                run(command, arena);
                say("DONE");
            } catch (GangException e) {
                say("FAILED " + e.kind() + " " + e.getMessage());
            } catch (RuntimeException | Error e) {
                say("BROKEN " + e);
                e.printStackTrace();
            }
        }
    }

    private static void say(String line) {
        System.out.println(line);
        System.out.flush();
    }

    private static void run(Command command, Arena arena) {
        GangSettings settings =
                GangSettings.of(
                        Map.of(
                                "RANK", String.valueOf(command.rank),
                                "WORLD_SIZE", String.valueOf(command.size),
                                "RENDEZVOUS", command.place));
        say("JOINING");
        long joinNanos = TimeUnit.MILLISECONDS.toNanos(command.joinMillis);
        byte[] agreement = {1, 2, 3};
        try (Transport transport =
                Rendezvous.join(settings, command.version, agreement, SPINS, joinNanos)) {
            say("JOINED");
            new Exchanges(command, transport, arena).run();
        }
    }

    /** Exchanges of random sizes, the same at the same seed, whose bytes are looked at. */
    private static final class Exchanges {
        private static final int SMALL = 1 << 15;
        private static final int LARGE = 1 << 21;

        private final Command command;
        private final Transport transport;
        private final int size;
        private final int stride;
        private final MemorySegment sent;
        private final MemorySegment received;
        private final Random random;

        Exchanges(Command command, Transport transport, Arena arena) {
            this.command = command;
            this.transport = transport;
            size = transport.size();
            stride = command.large ? LARGE : SMALL;
            sent = arena.allocate((long) size * stride, 64);
            received = arena.allocate((long) size * stride, 64);
            random = new Random(command.seed);
        }

        void run() {
            for (int exchange = 0; exchange < command.exchanges; exchange++) {
                say((command.large ? "INSIDE " : "BETWEEN ") + exchange);
                exchange(exchange);
            }
        }

        private void exchange(int exchange) {
            int[][] bytes = sizes(exchange);
            Parts send = Parts.even(sent, size, stride);
            Parts receive = Parts.even(received, size, stride);
            int me = transport.rank();
            for (int to = 0; to < size; to++) {
                send.fill(to, bytes[me][to]);
                fill(sent, to, bytes[me][to], pattern(exchange, me, to));
            }
            received.fill((byte) 0x55);
            long deadline = TimeUnit.MILLISECONDS.toNanos(command.exchangeMillis);
            transport.exchange(exchange % 200, send, receive, deadline);
            for (int from = 0; from < size; from++) {
                if (receive.bytes(from) != bytes[from][me]) {
                    throw new AssertionError(
                            "exchange %d: rank %d sent %d bytes, %d came"
                                    .formatted(
                                            exchange, from, bytes[from][me], receive.bytes(from)));
                }
                check(from, bytes[from][me], pattern(exchange, from, me));
            }
        }

        /** [from][to], some zero, in every seventh exchange all to one rank. */
        private int[][] sizes(int exchange) {
            int[][] bytes = new int[size][size];
            int one = random.nextInt(size);
            for (int from = 0; from < size; from++) {
                for (int to = 0; to < size; to++) {
                    int most = command.large ? LARGE : 1 << random.nextInt(16);
                    boolean empty = random.nextInt(4) == 0 || (exchange % 7 == 6 && to != one);
                    bytes[from][to] = empty ? 0 : 1 + random.nextInt(most);
                }
            }
            return bytes;
        }

        private static long pattern(int exchange, int from, int to) {
            return 0x9e3779b97f4a7c15L * (exchange * 64L + from * 8L + to + 1);
        }

        private void fill(MemorySegment memory, int rank, int bytes, long pattern) {
            for (int i = 0; i + 8 <= bytes; i += 8) {
                memory.set(ValueLayout.JAVA_LONG, (long) rank * stride + i, pattern + i);
            }
            for (int i = bytes & ~7; i < bytes; i++) {
                memory.set(ValueLayout.JAVA_BYTE, (long) rank * stride + i, (byte) (pattern + i));
            }
        }

        private void check(int rank, int bytes, long pattern) {
            boolean right = true;
            long begin = (long) rank * stride;
            for (int i = 0; i + 8 <= bytes; i += 8) {
                right &= received.get(ValueLayout.JAVA_LONG, begin + i) == pattern + i;
            }
            for (int i = bytes & ~7; i < bytes; i++) {
                right &= received.get(ValueLayout.JAVA_BYTE, begin + i) == (byte) (pattern + i);
            }
            for (int i = bytes; i < Math.min(bytes + 64, stride); i++) {
                right &= received.get(ValueLayout.JAVA_BYTE, begin + i) == 0x55;
            }
            if (!right) {
                throw new AssertionError("wrong bytes of rank " + rank);
            }
        }
    }
}
