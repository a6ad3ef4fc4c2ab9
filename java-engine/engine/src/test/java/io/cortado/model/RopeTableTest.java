package io.cortado.model;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.cortado.device.RopeStyle;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import org.junit.jupiter.api.Test;

class RopeTableTest {
    private static float[] table(Rope rope, int positions) {
        try (Arena arena = Arena.ofConfined()) {
            long floats = RopeTable.rows(rope, positions) * rope.rotaryDim();
            MemorySegment out = arena.allocate(ValueLayout.JAVA_FLOAT, floats);
            RopeTable.fill(out, rope, positions);
            return out.toArray(ValueLayout.JAVA_FLOAT);
        }
    }

    @Test
    void aPartOfTheHeadHasFrequenciesOfItsOwnSize() {
        float[] table = table(new Rope(RopeStyle.HALVES, 6, 1000, new Rope.None()), 5);
        assertEquals(5 * 6, table.length);
        for (int i = 0; i < 3; i++) {
            double angle = 4 * Math.pow(1000, -2.0 * i / 6);
            assertEquals(Math.cos(angle), table[4 * 6 + i], 1e-6);
            assertEquals(Math.sin(angle), table[4 * 6 + 3 + i], 1e-6);
        }
    }

    @Test
    void longRopeHasTheAnglesOfLongSequencesBehindThoseOfShortOnes() {
        Rope.Long scaling = new Rope.Long(List.of(1.0, 2.0), List.of(4.0, 8.0), 4, 1.5);
        float[] table = table(new Rope(RopeStyle.HALVES, 4, 100, scaling), 7);
        assertEquals(2 * 7 * 4, table.length);
        for (int position = 0; position < 7; position++) {
            for (int i = 0; i < 2; i++) {
                double plain = position * Math.pow(100, -2.0 * i / 4);
                int at = position * 4 + i;
                double shortAngle = plain / (1 + i);
                assertEquals(1.5 * Math.cos(shortAngle), table[at], 1e-6);
                assertEquals(1.5 * Math.sin(shortAngle), table[at + 2], 1e-6);
                double longAngle = plain / (4 + 4 * i);
                assertEquals(1.5 * Math.cos(longAngle), table[7 * 4 + at], 1e-6);
                assertEquals(1.5 * Math.sin(longAngle), table[7 * 4 + at + 2], 1e-6);
            }
        }
    }
}
