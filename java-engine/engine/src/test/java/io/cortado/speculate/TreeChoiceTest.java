package io.cortado.speculate;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class TreeChoiceTest {
    private final DraftLengths lengths = new DraftLengths(4, true, 1 << 20, false);
    private final TreeChoice choice = new TreeChoice(lengths, 4, true);
    private double rate;

    /**
     * @param perToken what a token more costs a step
     */
    private void learn(long perToken) {
        Acceptance chain = lengths.acceptance();
        for (int i = 0; i < 50; i++) {
            for (int tokens = 1; tokens <= 32; tokens++) {
                lengths.ran(tokens, 1000 + perToken * tokens);
            }
            lengths.drafted(4, 40);
            choice.drafted(60);
            choice.verified(24, 4, 3, 2, 1);
            lengths.verified(chain, 2, 1);
        }
        rate = chain.rate();
    }

    @Test
    void aTreeIsTriedFirst() {
        assertTrue(choice.wantsTree(0.5, 4, 1));
    }

    @Test
    void aTreePaysWhereTokensOfAStepCostLittle() {
        learn(1);
        for (int i = 0; i < 10; i++) {
            assertTrue(choice.wantsTree(rate, 4, 1));
        }
        assertFalse(choice.wantsTree(1, 4, 1), "where chains always stand, trees give nothing");
    }

    @Test
    void aChainPaysWhereTokensCostMuchAndATreeIsTriedNowAndThen() {
        learn(1000);
        assertEquals(63, chainsUntilATree());
        assertEquals(127, chainsUntilATree(), "after longer");
    }

    private int chainsUntilATree() {
        int chains = 0;
        while (!choice.wantsTree(rate, 2, 1)) {
            chains++;
        }
        return chains;
    }

    @Test
    void treesAloneAreDraftedWhereNothingAdapts() {
        TreeChoice fixed = new TreeChoice(lengths, 4, false);
        learn(1000);
        fixed.verified(24, 4, 3, 2, 1);
        for (int i = 0; i < 5; i++) {
            assertTrue(fixed.wantsTree(rate, 4, 1));
        }
    }
}
