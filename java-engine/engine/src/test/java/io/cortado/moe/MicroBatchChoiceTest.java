package io.cortado.moe;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class MicroBatchChoiceTest {
    /** How many of so many passes are in two, where one and two take so long. */
    private static int passesInTwo(
            MicroBatchChoice choice, int passes, int numTokens, long ofOne, long ofTwo) {
        int inTwo = 0;
        for (int i = 0; i < passes; i++) {
            int next = choice.next(numTokens);
            inTwo += next - 1;
            choice.took(numTokens, next, next == 1 ? ofOne : ofTwo);
        }
        return inTwo;
    }

    @ParameterizedTest
    @CsvSource({"ONE, 0", "TWO, 100"})
    void givesWhatIsWanted(MicroBatching wanted, int inTwo) {
        MicroBatchChoice choice = new MicroBatchChoice(wanted);
        assertEquals(inTwo, passesInTwo(choice, 100, 64, 1000, 2000));
    }

    @Test
    void oneTokenIsNotCut() {
        for (MicroBatching wanted : MicroBatching.values()) {
            assertEquals(0, passesInTwo(new MicroBatchChoice(wanted), 100, 1, 2, 1));
        }
    }

    @Test
    void takesWhatTakesLess() {
        MicroBatchChoice choice = new MicroBatchChoice(MicroBatching.MEASURED);
        int tries = passesInTwo(choice, 1000, 16, 1000, 1100);
        assertTrue(tries >= 3 + 4 && tries <= 3 + 10, "tries of two: " + tries);
        int inTwo = passesInTwo(choice, 1000, 512, 1100, 1000);
        assertTrue(inTwo > 980 && inTwo < 996, "passes in two: " + inTwo);
        assertEquals(0, choice.next(16) - 1, "sizes have choices of their own");
    }

    @Test
    void followsWhatChanges() {
        MicroBatchChoice choice = new MicroBatchChoice(MicroBatching.MEASURED);
        passesInTwo(choice, 10_000, 64, 1000, 1500);
        int late = passesInTwo(choice, 3 * MicroBatchChoice.MOST_GAP, 64, 3000, 1500);
        assertTrue(late > 0, "two is tried again");
        int inTwo = passesInTwo(choice, 1000, 64, 3000, 1500);
        assertTrue(inTwo > 900, "passes in two: " + inTwo);
    }

    /** A machine that is slower or faster for a while changes nothing, however it goes. */
    @Test
    void doesNotTakeTheMachineForTheWay() {
        MicroBatchChoice choice = new MicroBatchChoice(MicroBatching.MEASURED);
        int inTwo = 0;
        for (int i = 0; i < 5000; i++) {
            long slow = i / 100 % 2 == 0 ? 1 : 3;
            inTwo += passesInTwo(choice, 1, 64, 1000 * slow, 1200 * slow);
        }
        assertTrue(inTwo < 100, "passes in two: " + inTwo);
    }

    /** The first pass of each way takes long, and one of many as well. */
    @Test
    void onePassDoesNotDecide() {
        MicroBatchChoice choice = new MicroBatchChoice(MicroBatching.MEASURED);
        for (int i = 0; i < 2; i++) {
            int next = choice.next(64);
            choice.took(64, next, next == 2 ? 1_000_000 : 5000);
        }
        passesInTwo(choice, 50, 64, 1100, 1000);
        choice.took(64, 2, 1500);
        int inTwo = passesInTwo(choice, 1000, 64, 1100, 1000);
        assertTrue(inTwo > 900, "passes in two: " + inTwo);
    }
}
