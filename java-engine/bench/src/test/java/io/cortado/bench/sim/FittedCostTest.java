package io.cortado.bench.sim;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.api.EngineOptions;
import io.cortado.bench.BenchException;
import io.cortado.bench.traces.SyntheticTrace;
import io.cortado.bench.traces.Trace;
import io.cortado.engine.SimulatedEngine.Work;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class FittedCostTest {
    private static final FittedCost COST =
            new FittedCost(
                    "made", new long[] {1, 16, 256}, new double[] {1e6, 2e6, 20e6}, 1000, 2, 5);

    @TempDir Path folder;

    private static Work work(long tokens, long rows, long read, long attended) {
        Work work = new Work();
        work.tokens = tokens;
        work.rows = rows;
        work.readTokens = read;
        work.attended = attended;
        return work;
    }

    @Test
    void costsACurveRowsAndTheLargerPartOfAttention() {
        assertEquals(1e6, COST.nanos(work(1, 1, 0, 0)));
        assertEquals(1.5e6, COST.nanos(work(1, 0, 100_000, 200_000)), "read decides");
        assertEquals(2e6 + 3000 + 2e6, COST.nanos(work(16, 4, 10, 1_000_000)), "pairs decide");
        assertEquals(11e6, COST.nanos(work(136, 1, 0, 0)), "between two points");
        assertEquals(40e6, COST.nanos(work(512, 1, 0, 0)), "beyond the last");
    }

    @Test
    void isWrittenAndRead() throws Exception {
        Path file = folder.resolve("cost.json");
        COST.write(file);
        FittedCost read = FittedCost.read(file);
        assertEquals("made", read.name());
        assertArrayEquals(COST.tokens(), read.tokens());
        assertArrayEquals(COST.nanos(), read.nanos());
        assertEquals(COST.nanos(work(7, 3, 99, 500)), read.nanos(work(7, 3, 99, 500)));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "[]",
                "{}",
                "{\"tokens\":[1,2],\"nanos\":[1],\"row_nanos\":0,\"pair_nanos\":0,\"read_nanos\":0}",
                "{\"tokens\":[2,1],\"nanos\":[1,1],\"row_nanos\":0,\"pair_nanos\":0,\"read_nanos\":0}",
                "{\"tokens\":[1],\"nanos\":[0],\"row_nanos\":0,\"pair_nanos\":0,\"read_nanos\":0}",
                "{\"tokens\":[1],\"nanos\":[1],\"row_nanos\":0,\"pair_nanos\":0}",
                "{\"tokens\":[1],\"nanos\":[1e999],\"row_nanos\":0,\"pair_nanos\":0,\"read_nanos\":0}"
            })
    void refusesWhatIsNoCost(String text) throws Exception {
        Path file = Files.writeString(folder.resolve("bad.json"), text);
        assertThrows(BenchException.class, () -> FittedCost.read(file));
    }

    @Test
    void drivesASimulation() {
        Trace trace = SyntheticTrace.make(300, 20, 7);
        SimSetup setup =
                new SimSetup(
                        EngineOptions.defaults(),
                        Map.of(),
                        1,
                        SimSetup.RouterKind.ROUND_ROBIN,
                        20_000,
                        0,
                        1000,
                        50,
                        0.5);
        Outcomes outcomes = Fleet.run(trace, setup, COST);
        assertEquals(trace.size(), outcomes.ended() + outcomes.refusedAsFull());
        assertTrue(outcomes.utilisation() > 0.01, "utilisation=" + outcomes.utilisation());
    }
}
