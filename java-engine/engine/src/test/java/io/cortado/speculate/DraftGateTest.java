package io.cortado.speculate;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

/** Turns of known times, with and without drafts. */
class DraftGateTest {
    private static final int SEQS = 4;
    private static final long PLAIN = 1_000_000;

    private final DraftGate gate = new DraftGate(1024);
    private final Turn turn = new Turn();

    /** What the turns take altogether. */
    private double run(int turns, double drafted, int accepted, int promptTokens, double read) {
        return run(gate, turns, drafted, accepted, promptTokens, read);
    }

    private double run(
            DraftGate gate,
            int turns,
            double drafted,
            int accepted,
            int promptTokens,
            double read) {
        double all = 0;
        for (int i = 0; i < turns; i++) {
            boolean open = gate.isOpen(SEQS);
            boolean reads = gate.isReading(SEQS);
            boolean prompts = promptTokens > 0 && i % 4 == 0;
            double nanos = PLAIN * (open ? drafted : 1);
            nanos += prompts ? PLAIN * (reads ? read : 1) : 0;
            turn.chosen(open, false, reads);
            int ofPrompts = prompts ? promptTokens : 0;
            int drafts = open ? 2 * SEQS : 0;
            turn.ran(SEQS, SEQS + drafts + ofPrompts, drafts, ofPrompts, (long) nanos);
            turn.accepted(open ? accepted : 0);
            gate.ran(turn);
            all += nanos / (1 + (open ? (double) accepted / SEQS : 0));
        }
        return all / PLAIN;
    }

    @Test
    void opensOnceItKnowsWhatTurnsTakeWithoutDrafts() {
        assertFalse(gate.isOpen(SEQS));
        assertTrue(gate.isReading(SEQS));
        run(8, 1, 0, 0, 1);
        assertTrue(gate.isOpen(SEQS));
        assertFalse(gate.isOpen(2 * SEQS), "nothing is known of more sequences");
    }

    @Test
    void draftsThatGiveNothingCostHardlyAnything() {
        double took = run(4000, 1.5, 0, 0, 1);
        assertTrue(took < 1.03 * 4000, () -> "took=" + took);
        double later = run(4000, 1.5, 0, 0, 1);
        assertTrue(later < 1.01 * 4000, () -> "took=" + later);
        assertFalse(gate.isReading(SEQS));
    }

    @Test
    void draftsThatGiveLessThanTheyCostEndTheirTrial() {
        double took = run(4000, 1.5, SEQS / 2 - 1, 0, 1);
        assertTrue(took < 1.03 * 4000, () -> "took=" + took);
    }

    @Test
    void draftsThatPayGoOn() {
        double took = run(4000, 1.3, 2 * SEQS, 0, 1);
        assertTrue(took < 0.5 * 4000, () -> "took=" + took);
    }

    @Test
    void readingPromptsAlongCountsAsWell() {
        run(4000, 1.02, 1, 64, 3);
        double took = run(4000, 1.02, 1, 64, 3);
        assertTrue(took < 1.03 * 4000 * 1.25, () -> "took=" + took);
    }

    @Test
    void whatStandsNowherePaysWithNoNumberOfSequences() {
        run(8, 1, 0, 0, 1);
        for (int i = 0; i < 8; i++) {
            turn.chosen(false, false, false);
            turn.ran(1, 1, 0, 0, PLAIN);
            gate.ran(turn);
        }
        assertTrue(gate.isOpen(1));
        while (gate.isOpen(SEQS)) {
            run(1, 2, 0, 0, 1);
        }
        assertFalse(gate.isOpen(1));
        assertFalse(gate.isReading(2 * SEQS));
    }

    @Test
    void draftsThatStandButCostTooMuchMayPayForFewerSequences() {
        run(8, 1, 0, 0, 1);
        for (int i = 0; i < 8; i++) {
            turn.chosen(false, false, false);
            turn.ran(1, 1, 0, 0, PLAIN);
            gate.ran(turn);
        }
        while (gate.isOpen(SEQS)) {
            run(1, 3, SEQS, 0, 1);
        }
        assertTrue(gate.isOpen(1));
    }

    @Test
    void promptsAreNotReadForLongForDraftsThatNobodyWants() {
        run(8, 1, 0, 0, 1);
        int turns = 0;
        for (; gate.isReading(SEQS) && turns < 1000; turns++) {
            turn.chosen(false, true, true);
            turn.ran(SEQS, SEQS, 0, 0, PLAIN);
            gate.ran(turn);
        }
        assertTrue(turns < 100, "turns=" + turns);
    }

    @Test
    void aTrialLosesASmallPartOfAllTurns() {
        run(8, 1, 0, 0, 1);
        double lost = 0;
        while (gate.isOpen(SEQS)) {
            lost += run(1, 1.9, 0, 0, 1) - 1;
        }
        int closed = 0;
        while (!gate.isOpen(SEQS)) {
            run(1, 1.9, 0, 0, 1);
            closed++;
        }
        assertTrue(lost > 1 && closed >= 100 * lost - 1, lost + " lost, closed=" + closed);
    }

    @Test
    void triesAgainLaterEachTime() {
        DraftGate patient = new DraftGate(100_000);
        run(patient, 8, 1, 0, 0, 1);
        int closed = 0;
        int before = 0;
        for (int trial = 0; trial < 4; trial++) {
            while (patient.isOpen(SEQS)) {
                run(patient, 1, 2, 0, 0, 1);
            }
            before = closed;
            closed = 0;
            while (!patient.isOpen(SEQS)) {
                run(patient, 1, 2, 0, 0, 1);
                closed++;
            }
            assertTrue(closed > before);
        }
        assertEquals(2 * before, closed);
    }
}
