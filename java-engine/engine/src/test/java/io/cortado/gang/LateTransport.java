package io.cortado.gang;

import java.util.Random;
import java.util.concurrent.locks.LockSupport;

/** Comes to exchanges late by up to a fifth of a millisecond, now and then, as a seed says. */
public final class LateTransport extends ForwardingTransport {
    private static final int MAX_NANOS = 200_000;

    private final Random random;

    public LateTransport(Transport ranks, long seed) {
        super(ranks);
        random = new Random(seed * 31 + ranks.rank());
    }

    @Override
    public void exchange(int kind, Parts send, Parts receive, long deadlineNanos) {
        if (random.nextInt(4) == 0) {
            LockSupport.parkNanos(this, random.nextInt(MAX_NANOS));
        }
        super.exchange(kind, send, receive, deadlineNanos);
    }
}
