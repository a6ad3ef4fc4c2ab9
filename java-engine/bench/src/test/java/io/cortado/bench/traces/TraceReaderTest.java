package io.cortado.bench.traces;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.bench.BenchException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TraceReaderTest {
    @TempDir Path folder = Path.of("");

    private Path file(String... lines) throws IOException {
        return Files.write(folder.resolve("some.trace"), List.of(lines));
    }

    private Trace read(String... lines) throws IOException {
        return TraceReader.read(file(lines), Integer.MAX_VALUE);
    }

    @Test
    void readsAzuresColumnsAndDates() throws IOException {
        Trace trace =
                read(
                        "TIMESTAMP,ContextTokens,GeneratedTokens",
                        "2023-11-16 18:15:46.6805900,374,44",
                        "2023-11-16 18:15:50.9951690,396,109",
                        "2023-11-16 19:15:51+01:00,5,6");
        assertEquals("some", trace.name());
        assertArrayEquals(new long[] {0, 4_314_579_000L, 4_319_410_000L}, trace.arrivalNanos());
        assertArrayEquals(new int[] {374, 396, 5}, trace.inputs());
        assertArrayEquals(new int[] {44, 109, 6}, trace.outputs());
        assertNull(trace.blocks());
    }

    @Test
    void readsBurstGptsColumnsWhereverTheyAreAndSortsByArrival() throws IOException {
        Trace trace =
                read(
                        "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type",
                        "7.5,GPT-4,10,0,10,API log",
                        "5,ChatGPT,472,18,490,Conversation log");
        assertArrayEquals(new long[] {0, 2_500_000_000L}, trace.arrivalNanos());
        assertArrayEquals(new int[] {472, 10}, trace.inputs());
        assertEquals("ChatGPT", trace.tenantNames().get(trace.tenants()[0]));
        assertEquals(0, trace.outputs()[1]);
    }

    @Test
    void keepsEqualPrefixesEqualAndOthersApart() throws IOException {
        Trace trace =
                read(
                        "{\"timestamp\": 0, \"input_length\": 600, \"output_length\": 5,"
                                + " \"hash_ids\": [900, 901]}",
                        "{\"timestamp\": 3, \"input_length\": 1024, \"output_length\": 5,"
                                + " \"hash_ids\": [900, 902]}");
        assertEquals(512, trace.blockTokens());
        assertArrayEquals(new int[] {0, 2}, Objects.requireNonNull(trace.blocks())[1]);
        int[] first = trace.prompt(0);
        int[] second = trace.prompt(1);
        assertEquals(600, first.length);
        assertArrayEquals(Arrays.copyOf(first, 512), Arrays.copyOf(second, 512));
        assertTrue(first[512] != second[512]);
    }

    @Test
    void namesTheLineOfARowThatIsWrong() {
        String header = "req_time_s,client,prompt_tokens,output_tokens";
        for (String row : List.of("1,a,0,5", "1,a,x,5", "-1,a,3,5", "1,a,3", "nan,a,3,5")) {
            BenchException refused =
                    assertThrows(BenchException.class, () -> read(header, "0,a,1,1", row));
            assertTrue(String.valueOf(refused.getMessage()).contains(".trace:3: "), row);
        }
        String row = "{\"timestamp\": 0, \"input_length\": 600, \"output_length\": 5, ";
        assertThrows(BenchException.class, () -> read(row + "\"hash_ids\": [1]}"));
        assertThrows(BenchException.class, () -> read(row + "\"hash_ids\": [1, 2.5]}"));
        assertThrows(BenchException.class, () -> read("{"));
        assertThrows(BenchException.class, () -> read("a,b", "1,2"));
    }

    @Test
    void tellsTracesFromOtherFiles() throws IOException {
        assertTrue(TraceReader.isTrace(file("client,req_time_s,output_tokens,prompt_tokens")));
        assertFalse(TraceReader.isTrace(file("size,num_workers")));
        assertFalse(TraceReader.isTrace(file()));
    }
}
