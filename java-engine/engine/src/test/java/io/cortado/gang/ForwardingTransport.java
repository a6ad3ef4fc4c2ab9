package io.cortado.gang;

import java.lang.foreign.MemorySegment;

/** A rank's own transport, but for what a test makes of its exchanges. */
public abstract class ForwardingTransport implements Transport {
    protected final Transport ranks;

    protected ForwardingTransport(Transport ranks) {
        this.ranks = ranks;
    }

    @Override
    public int rank() {
        return ranks.rank();
    }

    @Override
    public int size() {
        return ranks.size();
    }

    @Override
    public MemorySegment allocate(long bytes) {
        return ranks.allocate(bytes);
    }

    @Override
    public void exchange(int kind, Parts send, Parts receive, long deadlineNanos) {
        ranks.exchange(kind, send, receive, deadlineNanos);
    }

    @Override
    public void abort(String why) {
        ranks.abort(why);
    }

    @Override
    public void close() {
        ranks.close();
    }
}
