package io.cortado.constrain;

/** Counts the nodes of tries that one mask visits. */
final class Visits {
    private final long limit;
    private long count;

    Visits(long limit) {
        this.limit = limit;
    }

    void restart() {
        count = 0;
    }

    long count() {
        return count;
    }

    void add(int more) {
        count += more;
        if (count > limit) {
            throw GrammarException.limit("visits of the vocabulary", count, limit);
        }
    }
}
