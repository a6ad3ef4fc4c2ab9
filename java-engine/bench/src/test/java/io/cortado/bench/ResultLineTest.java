package io.cortado.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

class ResultLineTest {
    @Test
    void aLineReadsBackAsWhatWasPrinted() {
        for (double value : new double[] {0, 1, -3, 0.00123456, 12.5, 123456.789, 1e12, 0.8}) {
            ResultLine line = new ResultLine("linear_bf16_m1_of_floor", value, "ratio");
            ResultLine read = ResultLine.parse(line.toString()).orElseThrow();
            assertEquals(line.metric(), read.metric());
            assertEquals(value, read.value(), Math.abs(value) * 1e-5);
            assertEquals("ratio", read.unit());
        }
    }

    @Test
    void linesThatAreNotOursAreNoResults() {
        for (String line :
                List.of(
                        "",
                        "RESULT",
                        "RESULT a 1",
                        "result a 1 us",
                        "RESULT a x us",
                        "RESULT A 1 us",
                        "RESULT a 1 us more",
                        "RESULT a NaN us")) {
            assertTrue(ResultLine.parse(line).isEmpty(), line);
        }
    }

    @Test
    void aValueThatIsNoNumberIsRefused() {
        assertThrows(IllegalArgumentException.class, () -> new ResultLine("a", Double.NaN, "us"));
        assertThrows(IllegalArgumentException.class, () -> new ResultLine("a b", 1, "us"));
    }

    @Test
    void resultsArePrintedOnceEachAndWrittenAsJson(@TempDir Path folder) throws Exception {
        Results results = new Results();
        results.put("schedule_256_us", 21.5, "us");
        results.fail("something did not hold");
        assertThrows(IllegalArgumentException.class, () -> results.put("schedule_256_us", 1, "us"));
        ByteArrayOutputStream text = new ByteArrayOutputStream();
        results.print(new PrintStream(text, true, StandardCharsets.UTF_8));
        assertTrue(text.toString(StandardCharsets.UTF_8).startsWith("RESULT schedule_256_us 21.5"));
        results.writeJson(folder.resolve("r.json"));
        JsonNode json = JsonMapper.shared().readTree(Files.readString(folder.resolve("r.json")));
        assertEquals("schedule_256_us", json.path("results").path(0).path("metric").asString());
        assertEquals(1, json.path("failures").size());
    }
}
