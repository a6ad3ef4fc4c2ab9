package io.cortado.gang;

import java.io.BufferedInputStream;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.OutputStream;
import java.net.ConnectException;
import java.net.InetSocketAddress;
import java.net.NoRouteToHostException;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.net.UnknownHostException;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/**
 * Ranks meet at a port where rank 0 listens: each says hello and waits on its connection for the
 * answer. Who connects and is no rank is sent away, and does no harm.
 */
final class PortMeeting implements Meeting {
    private static final System.Logger LOG = System.getLogger(PortMeeting.class.getName());
    private static final long RETRY_MILLIS = 20;
    private static final int BACKLOG = 256;

    private final GangSettings.Place.Port place;

    PortMeeting(GangSettings.Place.Port place) {
        this.place = place;
    }

    @Override
    public List<byte[]> meet(Hello mine, long until) {
        try {
            return mine.rank() == 0 ? gather(mine, until) : join(mine, until);
        } catch (InterruptedException e) {
            throw Meeting.interrupted(e);
        }
    }

    @Override
    public void finish() {}

    private InetSocketAddress resolve() throws UnknownHostException {
        InetSocketAddress address = new InetSocketAddress(place.host(), place.port());
        if (address.isUnresolved()) {
            throw new UnknownHostException("host=" + place.host());
        }
        return address;
    }

    /** At least 1: 0 would mean forever. */
    private static int millisUntil(long until) {
        long millis = (until - System.nanoTime()) / 1_000_000;
        return Math.clamp(millis, 1, Integer.MAX_VALUE);
    }

    // ---- rank 0

    /** What a connection brings. */
    private sealed interface Event {
        record Came(Hello hello, Socket guest) implements Event {}

        record Left(int rank) implements Event {}

        record Stranger(String what) implements Event {}
    }

    private List<byte[]> gather(Hello mine, long until) throws InterruptedException {
        Set<Socket> guests = ConcurrentHashMap.newKeySet();
        var events = new LinkedBlockingQueue<Event>();
        Thread door = null;
        try (ServerSocket server = new ServerSocket()) {
            server.bind(resolve(), BACKLOG);
            door = Thread.ofVirtual().start(() -> accept(server, guests, events, until));
            List<Socket> ranks = new ArrayList<>();
            Roster roster = new Roster(mine);
            try {
                await(roster, ranks, events, until);
            } catch (GangException e) {
                refuse(roster, ranks, events, e);
                throw e;
            }
            tell(ranks, roster.gang());
            return roster.gang().unwrap();
        } catch (IOException e) {
            throw Meeting.failed("rank 0 cannot listen at " + place, e);
        } finally {
            if (door != null) { // in accept() it keeps the port
                door.join();
            }
            guests.forEach(PortMeeting::closeQuietly);
        }
    }

    private static void accept(
            ServerSocket server,
            Set<Socket> guests,
            LinkedBlockingQueue<Event> events,
            long until) {
        while (!server.isClosed()) {
            try {
                Socket guest = server.accept();
                guests.add(guest);
                Thread.ofVirtual().start(() -> listen(guest, guests, events, until));
            } catch (IOException e) {
                if (!server.isClosed()) {
                    events.add(new Event.Stranger(String.valueOf(e.getMessage())));
                }
            }
        }
    }

    /** Reads a hello, then waits for the connection's end. */
    private static void listen(
            Socket guest, Set<Socket> guests, LinkedBlockingQueue<Event> events, long until) {
        Hello hello;
        try {
            guest.setSoTimeout(millisUntil(until));
            DataInputStream in =
                    new DataInputStream(new BufferedInputStream(guest.getInputStream()));
            hello = Hello.read(in);
            events.add(new Event.Came(hello, guest));
            guest.setSoTimeout(0);
            in.transferTo(OutputStream.nullOutputStream());
        } catch (IOException e) {
            guests.remove(guest);
            closeQuietly(guest);
            String what = e instanceof EOFException ? "it said nothing" : e.getMessage();
            events.add(new Event.Stranger(guest.getRemoteSocketAddress() + ": " + what));
            return;
        }
        events.add(new Event.Left(hello.rank()));
    }

    private void await(
            Roster roster, List<Socket> ranks, LinkedBlockingQueue<Event> events, long until)
            throws InterruptedException {
        String remarks = "";
        while (!roster.isComplete()) {
            Event event = events.poll(until - System.nanoTime(), TimeUnit.NANOSECONDS);
            switch (event) {
                case null -> throw roster.incomplete(place.toString(), remarks);
                case Event.Came(Hello hello, Socket guest) -> {
                    ranks.add(guest);
                    roster.add(hello);
                }
                case Event.Left(int rank) ->
                        throw new GangException(
                                GangException.Kind.ABORTED,
                                "rank %d has left the rendezvous at %s".formatted(rank, place));
                case Event.Stranger(String what) -> remarks = "; last a stranger came, " + what;
            }
        }
    }

    /** Tells all that have come, and those that come a little later. */
    private static void refuse(
            Roster roster, List<Socket> ranks, LinkedBlockingQueue<Event> events, GangException why)
            throws InterruptedException {
        tell(ranks, roster.refusal(why));
        long until = System.nanoTime() + LINGER_NANOS;
        boolean stays = why.kind() != GangException.Kind.DEADLINE;
        while (stays && !roster.isFull()) {
            Event event = events.poll(until - System.nanoTime(), TimeUnit.NANOSECONDS);
            if (event instanceof Event.Came(Hello hello, Socket guest)) {
                roster.addLate(hello);
                tell(List.of(guest), roster.refusal(why));
            }
            stays = event != null;
        }
    }

    private static void tell(List<Socket> ranks, Answer answer) {
        byte[] bytes = answer.encode();
        for (Socket guest : ranks) {
            try {
                guest.getOutputStream().write(bytes);
                guest.shutdownOutput();
            } catch (IOException gone) { // misses the first exchange, which tells
                closeQuietly(guest);
            }
        }
    }

    private static void closeQuietly(Socket socket) {
        try {
            socket.close();
        } catch (IOException e) {
            LOG.log(System.Logger.Level.DEBUG, "a connection of the rendezvous", e);
        }
    }

    // ---- the others

    private List<byte[]> join(Hello mine, long until) throws InterruptedException {
        try (Socket socket = connect(mine, until)) {
            socket.getOutputStream().write(mine.encode());
            socket.setSoTimeout(millisUntil(until + GRACE_NANOS));
            DataInputStream in =
                    new DataInputStream(new BufferedInputStream(socket.getInputStream()));
            return Answer.read(in).unwrap();
        } catch (SocketTimeoutException e) {
            throw new GangException(
                    GangException.Kind.DEADLINE,
                    "rank 0 did not answer rank %d at %s in time".formatted(mine.rank(), place),
                    e);
        } catch (EOFException e) {
            throw new GangException(
                    GangException.Kind.ABORTED,
                    "rank 0 has left the rendezvous at %s without an answer".formatted(place),
                    e);
        } catch (IOException e) {
            throw Meeting.failed("rank 0 is not at " + place, e);
        }
    }

    private Socket connect(Hello mine, long until) throws IOException, InterruptedException {
        while (true) {
            Socket socket = new Socket();
            try {
                socket.connect(resolve(), millisUntil(until));
                if (isItself(socket)) {
                    throw new ConnectException("the connection has met itself");
                }
                return socket;
            } catch (ConnectException
                    | NoRouteToHostException
                    | UnknownHostException
                    | SocketTimeoutException e) {
                socket.close();
                if (System.nanoTime() - until > 0) {
                    throw new GangException(
                            GangException.Kind.DEADLINE,
                            "rank %d did not find rank 0 at %s in time: %s"
                                    .formatted(mine.rank(), place, e.getMessage()),
                            e);
                }
                Thread.sleep(RETRY_MILLIS);
            }
        }
    }

    /**
     * Who calls a port of this host at which nobody listens may be given that port as its own, and
     * TCP joins the two ends; rank 0 could no longer listen there.
     */
    static boolean isItself(Socket socket) {
        return socket.getLocalSocketAddress().equals(socket.getRemoteSocketAddress());
    }
}
