package io.cortado.constrain;

/** Counts down the work of one compile or one step. */
final class Fuel {
    private long limit;
    private int left;

    Fuel(int limit) {
        this.limit = limit;
        left = limit;
    }

    /** Starts a new step. */
    void refill(int newLimit) {
        limit = newLimit;
        left = newLimit;
    }

    /** Goes on with what another has left. */
    void takeOver(Fuel other) {
        limit = other.limit;
        left = other.left;
    }

    void burn(int amount) {
        left -= amount;
        if (left < 0) {
            throw GrammarException.limit("steps", limit - left, limit);
        }
    }
}
