package io.cortado.bench.conformance;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.json.JsonMapper;

class SchemaSuitesTest {
    @TempDir Path folder;

    private final ByteArrayOutputStream printed = new ByteArrayOutputStream();

    /** The 256 bytes as a vocabulary. */
    @BeforeEach
    void writeVocabulary() throws IOException {
        var lines = new StringBuilder();
        for (int b = 0; b < 256; b++) {
            String token = Base64.getEncoder().encodeToString(new byte[] {(byte) b});
            lines.append(token).append(' ').append(b).append('\n');
        }
        Files.createDirectories(folder.resolve("vocab"));
        Files.writeString(folder.resolve("vocab/cl100k_base.tiktoken"), lines);
    }

    private Report run(Suite suite, String file, String... rows) throws IOException {
        Path path = Files.createDirectories(folder.resolve("suite"));
        Files.writeString(path.resolve(file), String.join("\n", rows));
        var out = new PrintStream(printed, true, StandardCharsets.UTF_8);
        return suite.run(path, SuiteOptions.DEFAULT, out);
    }

    private String output() {
        return printed.toString(StandardCharsets.UTF_8);
    }

    @Test
    void instancesAreJudgedByGroup() throws IOException {
        Files.createDirectories(folder.resolve("suite"));
        Files.writeString(
                folder.resolve("suite/remotes.jsonl"),
                "{\"uri\":\"http://x.test/n.json\",\"schema\":{\"type\":\"integer\"}}");
        Report report =
                run(
                        new JsonSchemaSuite(),
                        "draft7.jsonl",
                        """
                        {"draft":"draft7","file":"ref","optional":false,"description":"remote",\
                        "schema":{"$ref":"http://x.test/n.json"},"tests":[\
                        {"description":"a","data":1.0,"valid":true},\
                        {"description":"b","data":"\\u00e9","valid":false}]}\
                        """,
                        """
                        {"draft":"draft7","file":"ref","optional":false,"description":"claims more",\
                        "schema":{"minimum":3},"tests":[{"description":"c","data":4,"valid":false}]}\
                        """,
                        """
                        {"draft":"draft7","file":"pattern","optional":true,"description":"refused",\
                        "schema":{"pattern":"(?<=a)b"},"tests":[\
                        {"description":"d","data":4,"valid":true}]}\
                        """);
        assertEquals(2, report.right());
        assertEquals(1, report.wrong());
        assertEquals(1, report.refused());
        assertTrue(output().contains("RESULT wrong_accepts 1 cases"), output());
        assertTrue(output().contains("RESULT json_schema_groups_right 1 groups"), output());
    }

    @Test
    void schemasAreJudgedByAllTheirTexts() throws IOException {
        Report report =
                run(
                        new MaskBenchSuite(),
                        "some.jsonl",
                        """
                        {"id":"one","schema":{"type":"object","required":["a"]},"tests":[\
                        {"valid":true,"text":"{\\"a\\": 1}"},{"valid":false,"text":"{}"}]}\
                        """,
                        """
                        {"id":"two","schema":{"type":"string"},"tests":[{"valid":true,"text":"1"}]}\
                        """,
                        """
                        {"id":"three","schema":{"type":7},"tests":[]}\
                        """,
                        """
                        {"id":"four","schema":false,"tests":[{"valid":false,"text":"1"}]}\
                        """);
        assertEquals(2, report.right());
        assertEquals(1, report.wrong());
        assertEquals(1, report.refused());
        assertTrue(output().contains("RESULT wrong_accepts 0 schemas"), output());
        assertTrue(output().contains("RESULT maskbench_wrong_refusals 1 schemas"), output());
    }

    @Test
    void timesAreTakenOfEachTokenAndSchema() throws IOException {
        Path path = Files.createDirectories(folder.resolve("suite"));
        Files.writeString(
                path.resolve("some.jsonl"),
                """
                {"id":"one","schema":{},"tests":[\
                {"valid":true,"text":"[1]"},{"valid":false,"text":"["}]}\
                """);
        for (int vocabSize : new int[] {0, 257}) {
            MaskTimes times = MaskTimes.measure(path, 10, vocabSize);
            assertEquals(3, times.masksUs().length);
            assertEquals(1, times.firstMasksMs().length);
            assertEquals(0, times.refused());
        }
        assertThrows(IOException.class, () -> MaskTimes.measure(path, 10, 1 << 20));
    }

    @Test
    void instancesAreWrittenAsPythonWritesThem() {
        String text = "{\"a\": [1.0, 1e+16, 1e-05, 123456789.125, -0.0, true, null, {}]}";
        assertEquals(text, PythonJson.dumps(JsonMapper.builder().build().readTree(text)));
        assertEquals(
                "\"\\ud83d\\ude00\\u00e9\\n\\u0001\"",
                PythonJson.dumps(JsonMapper.builder().build().readTree("\"😀é\\n\\u0001\"")));
    }
}
