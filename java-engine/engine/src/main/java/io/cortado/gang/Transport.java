package io.cortado.gang;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * Carries bytes between the ranks of a gang, in host memory.
 *
 * <p>All ranks make the same exchanges in the same order: an exchange is at once a barrier, since
 * every rank hears from every other, if only that there is nothing. Two exchanges that differ in
 * {@code kind} do not meet: the ranks fail instead of mixing their bytes up. After a failure every
 * call fails at once. One thread at a time may exchange.
 */
public interface Transport extends AutoCloseable {
    /** This rank's number, from 0. */
    int rank();

    /** How many ranks there are. */
    int size();

    /**
     * Memory to send from, from which parts come to other ranks with the fewest copies: zeroed, of
     * all threads, at most until {@link #close}. Not to be written after an exchange has failed.
     *
     * @param bytes at least 1
     * @throws GangException if there is none
     */
    default MemorySegment allocate(long bytes) {
        return Arena.ofAuto().allocate(bytes, Long.BYTES);
    }

    /**
     * Sends each rank its part and receives a part of each, its own included.
     *
     * @param kind what is exchanged, 0 to 255: the same on all ranks
     * @param send read only
     * @param receive its memory does not overlap that of send; filled
     * @param deadlineNanos how long to wait for the others, at most
     * @throws GangException if a rank does not come in time, has ended the gang, is in another
     *     exchange, or sends more than fits; what was received then is not to be used
     */
    void exchange(int kind, Parts send, Parts receive, long deadlineNanos);

    /**
     * Makes an exchange for each of the steps, until they are over. Who calls {@link
     * ExchangeSteps#next} is one thread at a time, each with what the ones before it did.
     *
     * @param deadlineNanos of each exchange
     * @throws GangException as {@link #exchange}; what a step throws ends them
     */
    default void serve(ExchangeSteps steps, long deadlineNanos) {
        do {
            exchange(steps.kind(), steps.send(), steps.receive(), deadlineNanos);
        } while (steps.next());
    }

    /** Fails the exchange that waits and all later ones; peers are told, where they can be. */
    void abort(String why);

    /** Ends this rank's part; peers that still wait for it fail. */
    @Override
    void close();
}
