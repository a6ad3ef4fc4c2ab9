package io.cortado.engine;

import io.cortado.gang.ForwardingTransport;
import io.cortado.gang.Parts;
import io.cortado.gang.Transport;
import java.util.Locale;
import java.util.concurrent.locks.LockSupport;

/**
 * Where a rank is when it is lost: before, in or behind an exchange of a kind, counted among those
 * of its kind.
 *
 * @param number from 0
 */
record Halt(Place place, Kind kind, int number) {
    enum Place {
        BEFORE,
        WITHIN,
        BEHIND
    }

    /** As moe.ExpertLink counts them, from 1. */
    enum Kind {
        HELLO,
        TICK,
        DISPATCH,
        RESULT
    }

    /** As {@link #text} tells it. */
    static Halt of(String text) {
        String[] words = text.split(":");
        return new Halt(
                Place.valueOf(words[0]), Kind.valueOf(words[1]), Integer.parseInt(words[2]));
    }

    String text() {
        return String.format(Locale.ROOT, "%s:%s:%d", place, kind, number);
    }

    /** Runs when the rank is there: before or behind the exchange it goes no further then. */
    Transport of(Transport ranks, Runnable isThere) {
        return new Halting(this, ranks, isThere);
    }

    private static final class Halting extends ForwardingTransport {
        private final Halt halt;
        private final Runnable isThere;
        private int exchanges;

        Halting(Halt halt, Transport ranks, Runnable isThere) {
            super(ranks);
            this.halt = halt;
            this.isThere = isThere;
        }

        @Override
        public void exchange(int kind, Parts send, Parts receive, long deadlineNanos) {
            boolean isOne = kind == 1 + halt.kind.ordinal() && exchanges++ == halt.number;
            if (isOne && halt.place != Place.BEHIND) {
                arrive();
            }
            super.exchange(kind, send, receive, deadlineNanos);
            if (isOne && halt.place == Place.BEHIND) {
                arrive();
            }
        }

        private void arrive() {
            isThere.run();
            while (halt.place != Place.WITHIN) {
                LockSupport.park(this);
            }
        }
    }
}
