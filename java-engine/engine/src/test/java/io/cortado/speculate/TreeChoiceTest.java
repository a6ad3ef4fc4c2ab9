package io.cortado.speculate;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class TreeChoiceTest {
    private final DraftLengths lengths = new DraftLengths(4, true, 1 << 20, false);
    private final TreeChoice choice = new TreeChoice(lengths, 4, true);
    private final TreeChoice.Trees trees = choice.trees();
    private final Acceptance chain = lengths.acceptance();

    /**
     * @param perToken what a token more costs a step
     */
    private void learn(long perToken) {
        for (int i = 0; i < 50; i++) {
            for (int tokens = 1; tokens <= 32; tokens++) {
                lengths.ran(tokens, 1000 + perToken * tokens);
            }
            lengths.drafted(4, 40);
            choice.drafted(60);
            choice.verified(trees, 24, 4, 3);
            lengths.verified(chain, 2, 1);
        }
    }

    @Test
    void aTreeIsTriedFirst() {
        assertTrue(choice.wantsTree(trees, chain, 4, 1));
    }

    @Test
    void aTreePaysWhereTokensOfAStepCostLittle() {
        learn(1);
        choice.wantsTree(trees, chain, 4, 1);
        assertTrue(choice.wantsTree(trees, chain, 4, 1));
    }

    @Test
    void aChainPaysWhereTokensCostMuchAndATreeIsTriedNowAndThen() {
        learn(1000);
        assertTrue(choice.wantsTree(trees, chain, 2, 1), "a sequence begins with a tree");
        int chains = 0;
        while (!choice.wantsTree(trees, chain, 2, 1)) {
            chains++;
        }
        assertEquals(64, chains);
        assertFalse(choice.wantsTree(trees, chain, 2, 1));
    }

    @Test
    void treesAloneAreDraftedWhereNothingAdapts() {
        TreeChoice fixed = new TreeChoice(lengths, 4, false);
        learn(1000);
        for (int i = 0; i < 5; i++) {
            assertTrue(fixed.wantsTree(fixed.trees(), chain, 4, 1));
        }
    }
}
