package io.cortado.gang;

import java.util.List;

/** Where ranks tell one another their addresses. */
sealed interface Meeting permits PortMeeting, FolderMeeting {
    /** How much longer than rank 0 the others wait, for its word about who is missing. */
    long GRACE_NANOS = 500_000_000;

    /** How long rank 0 stays after it has found ranks that do not belong together, to tell all. */
    long LINGER_NANOS = 2_000_000_000;

    /**
     * Says hello and waits for all.
     *
     * @param until by {@link System#nanoTime}
     * @return addresses in the order of ranks
     * @throws GangException if they cannot be one gang, or a rank is missing
     */
    List<byte[]> meet(Hello mine, long until);

    /** The gang stands: nobody looks here any more. Called by rank 0. */
    void finish();

    static GangException failed(String what, Exception cause) {
        return new GangException(GangException.Kind.TRANSPORT, what + ": " + cause, cause);
    }

    static GangException interrupted(InterruptedException cause) {
        Thread.currentThread().interrupt();
        return failed("the rendezvous was interrupted", cause);
    }
}
