package io.cortado.speculate;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

/** Steps of known times, drafts of known worth. */
class DraftLengthsTest {
    private static final int MOST = 6;

    /** What a step takes. */
    private interface Times {
        long of(int tokens);
    }

    /**
     * Runs a sequence for so many steps.
     *
     * @param numSeqs that run like it
     * @param draftNanos of a round
     * @param stand of so many drafts so many stand
     * @return mean length of the drafts in the second half
     */
    private static double run(
            DraftLengths lengths, int numSeqs, Times times, long draftNanos, double stand) {
        Acceptance acceptance = lengths.acceptance();
        Turn turn = new Turn();
        double carry = 0;
        double sum = 0;
        int steps = 2000;
        for (int step = 0; step < steps; step++) {
            lengths.choose(numSeqs);
            int wanted = 0;
            if (lengths.isOpen()) {
                if (acceptance.isResting()) {
                    acceptance.rested();
                } else {
                    wanted = lengths.wanted(acceptance, numSeqs);
                }
            }
            int accepted = 0;
            if (wanted > 0) {
                lengths.drafted(wanted, wanted * draftNanos);
                while (accepted < wanted) {
                    carry += stand;
                    if (carry < 1) {
                        break;
                    }
                    carry -= 1;
                    accepted++;
                }
                lengths.verified(acceptance, wanted, accepted);
            }
            int tokens = numSeqs * (1 + wanted);
            lengths.ran(tokens, times.of(tokens));
            turn.chosen(wanted > 0, wanted == 0, false);
            long nanos = times.of(tokens) + wanted * draftNanos;
            turn.ran(numSeqs, tokens, numSeqs * wanted, 0, nanos);
            turn.accepted(numSeqs * accepted);
            lengths.ran(turn);
            sum += step >= steps / 2 ? wanted : 0;
        }
        return sum / (steps / 2.0);
    }

    private static DraftLengths adaptive() {
        return new DraftLengths(MOST, true, 100, false);
    }

    @Test
    void draftsTheMostWhereTheyAreFreeAndStand() {
        double mean = run(adaptive(), 1, _ -> 1_000_000, 0, 0.9);
        assertTrue(mean > MOST - 1, () -> "mean=" + mean);
    }

    @Test
    void draftsHardlyEverWhereTheyDoNotStand() {
        double mean = run(adaptive(), 1, n -> 1_000_000 + n, 100_000, 0.01);
        assertTrue(mean < 0.1, () -> "mean=" + mean);
    }

    @Test
    void draftsHardlyEverWhereEachRowCostsAsMuchAsAStep() {
        double mean = run(adaptive(), 8, n -> 1_000_000L * n, 0, 0.6);
        assertTrue(mean < 0.1, () -> "mean=" + mean);
    }

    @Test
    void draftsLessWhereRowsCostMore() {
        double cheap = run(adaptive(), 1, n -> 1_000_000 + 20_000 * n, 0, 0.7);
        double dear = run(adaptive(), 1, n -> 1_000_000 + 400_000 * n, 0, 0.7);
        assertTrue(cheap > dear + 0.5 && dear > 0.5, () -> "cheap=" + cheap + " dear=" + dear);
    }

    @Test
    void draftsAgainOnceTheyStand() {
        DraftLengths lengths = adaptive();
        run(lengths, 1, _ -> 1_000_000, 100_000, 0);
        double mean = run(lengths, 1, _ -> 1_000_000, 100_000, 0.95);
        assertTrue(mean > 2, () -> "mean=" + mean);
    }

    @Test
    void loadSwitchesThemOff() {
        DraftLengths lengths = new DraftLengths(MOST, false, 8, false);
        lengths.choose(8);
        assertTrue(lengths.isOpen() && lengths.isReading());
        lengths.choose(9);
        assertTrue(!lengths.isOpen() && !lengths.isReading());
    }

    @Test
    void whatIsForeseenIsDraftedWithoutATrial() {
        DraftLengths lengths = new DraftLengths(MOST, true, 100, true);
        run(lengths, 1, n -> 1_000_000 + 10_000 * n, 0, 0);
        Acceptance acceptance = lengths.acceptance();
        for (int i = 0; i < 200; i++) {
            lengths.came(acceptance, false);
        }
        assertEquals(0, lengths.wanted(acceptance, 1));
        for (int i = 0; i < 50; i++) {
            lengths.came(acceptance, true);
        }
        assertTrue(lengths.wanted(acceptance, 1) > 0);
    }

    @Test
    void notAdaptiveIsAlwaysTheMost() {
        assertEquals(MOST, run(new DraftLengths(MOST, false, 100, false), 4, n -> n * 1000L, 9, 0));
    }
}
