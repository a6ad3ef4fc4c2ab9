package io.cortado.engine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class GraphSizesTest {
    @ParameterizedTest
    @CsvSource({"1,1", "2,2", "3,4", "4,4", "5,8", "8,8", "9,16", "16,16", "17,20", "20,20"})
    void padsToTheNextSizeUpToTheLimit(int numSeqs, int padded) {
        assertEquals(padded, new GraphSizes(20, true).of(numSeqs));
        assertEquals(numSeqs, new GraphSizes(20, false).of(numSeqs));
    }

    @Test
    void aSizeIsWarmFromItsSecondStepOn() {
        GraphSizes sizes = new GraphSizes(20, true);
        assertFalse(sizes.warmUp(8));
        assertFalse(sizes.warmUp(20));
        assertTrue(sizes.warmUp(8));
        assertTrue(sizes.warmUp(8));
    }
}
