package io.cortado.constrain;

/** A running estimate of heap bytes. Guarded by the automaton's lock. */
final class Footprint {
    private long bytes;

    void add(long more) {
        bytes += more;
    }

    long bytes() {
        return bytes;
    }
}
