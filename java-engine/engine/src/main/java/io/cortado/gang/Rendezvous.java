package io.cortado.gang;

import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.util.List;

/** How ranks in processes of their own become a gang. */
public final class Rendezvous {
    /** Of the exchange that ends the rendezvous; not to be used by others. */
    private static final int KIND = 255;

    private Rendezvous() {}

    /**
     * Meets the other ranks, makes sure that they belong together, connects to them and makes a
     * first exchange.
     *
     * @param agreement what must be the same on all ranks, such as a hash of the model's
     *     configuration and of options; at most 64 KiB. A short text is shown where ranks differ
     * @param spins looks in vain before a rank that waits yields its core; {@link
     *     UcxTransport#DEFAULT_SPINS}
     * @param deadlineNanos of all of it
     * @throws GangException if a rank is missing, is there twice, has another version, size or
     *     agreement, or cannot be reached: on every rank that can be told
     */
    public static Transport join(
            GangSettings settings, byte[] agreement, int spins, long deadlineNanos) {
        return join(settings, Hello.VERSION, agreement, spins, deadlineNanos);
    }

    /** The same in the voice of another version, for tests. */
    static Transport join(
            GangSettings settings, int version, byte[] agreement, int spins, long deadlineNanos) {
        if (agreement.length > Hello.MAX_BYTES) {
            throw new IllegalArgumentException(
                    "the agreement has bytes=%d, at most %d can be told"
                            .formatted(agreement.length, Hello.MAX_BYTES));
        }
        long until = System.nanoTime() + deadlineNanos;
        UcxTransport transport = UcxTransport.open(settings.rank(), settings.size(), spins);
        boolean isWhole = false;
        try {
            Hello mine =
                    new Hello(
                            version,
                            new SecureRandom().nextLong(),
                            settings.size(),
                            settings.rank(),
                            agreement,
                            transport.address());
            Meeting meeting = meeting(settings.place());
            connect(transport, meeting.meet(mine, until));
            Parts nothing = new Parts(MemorySegment.NULL, settings.size());
            long left = Math.max(until - System.nanoTime(), 0) + Meeting.GRACE_NANOS;
            transport.exchange(KIND, nothing, nothing, left);
            if (settings.rank() == 0) {
                meeting.finish();
            }
            isWhole = true;
            return transport;
        } finally {
            if (!isWhole) {
                transport.close();
            }
        }
    }

    private static Meeting meeting(GangSettings.Place place) {
        return switch (place) {
            case GangSettings.Place.Port port -> new PortMeeting(port);
            case GangSettings.Place.Folder folder -> new FolderMeeting(Path.of(folder.path()));
        };
    }

    private static void connect(UcxTransport transport, List<byte[]> addresses) {
        for (int peer = 0; peer < addresses.size(); peer++) {
            if (peer != transport.rank()) {
                transport.connect(peer, addresses.get(peer));
            }
        }
    }
}
