package io.cortado.bench.conformance;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class VocabSuiteTest {
    private static final String BORDER = "\n__ggml_vocab_test__\n";

    @TempDir Path folder;

    private Report run(Path path) throws IOException {
        var out = new PrintStream(new ByteArrayOutputStream(), true, StandardCharsets.UTF_8);
        return new VocabSuite().run(path, SuiteOptions.DEFAULT, out);
    }

    /** The 256 bytes and "ab" as r50k, whose words are GPT-2's. */
    private void writeVocabulary() throws IOException {
        var lines = new StringBuilder();
        for (int b = 0; b < 256; b++) {
            byte[] token = {(byte) b};
            lines.append(Base64.getEncoder().encodeToString(token))
                    .append(' ')
                    .append(b)
                    .append('\n');
        }
        lines.append("YWI= 256\n");
        Files.writeString(folder.resolve("r50k_base.tiktoken"), lines);
    }

    @Test
    void tableRowsAreJudgedByIdsTextAndFirstTokens() throws IOException {
        writeVocabulary();
        Path table = folder.resolve("r50k_base.encodings.csv");
        Files.writeString(
                table,
                "input,output,outputMaxTokens10\n"
                        + "ab,[256],[256]\n"
                        + "\"a,\"\"\nb\",\"[97, 44, 34, 10, 98]\",\"[97, 44, 34, 10, 98]\"\n"
                        + "ba,\"[98, 98]\",\"[98, 98]\"\n"
                        + "bb,\"[98, 98]\",[98]\n");
        Report report = run(folder);
        assertEquals(3, report.right(), report::toString);
        assertEquals(2, report.wrong(), report::toString);
        assertEquals(4, run(table).right() + run(table).wrong());
    }

    @Test
    void idsBeyondTheVocabularyStandForRunsOfItsTokens() throws IOException {
        writeVocabulary();
        Files.writeString(
                folder.resolve("gpt-2.inp"), "abc" + BORDER + "abcabc" + BORDER + "cab\n");
        Files.writeString(folder.resolve("gpt-2.out"), " 900\n 900 256 99\n 900 98\n");
        Report report = run(folder.resolve("gpt-2.inp"));
        assertEquals(2, report.right(), report::toString);
        assertEquals(1, report.wrong(), report::toString);
    }

    @Test
    void withoutAVocabularyEqualWordsMustHaveEqualIds() throws IOException {
        Files.writeString(
                folder.resolve("qwen2.inp"),
                "one" + BORDER + "one two" + BORDER + " two one" + BORDER);
        Files.writeString(folder.resolve("qwen2.out"), " 5 6\n 5 6 7\n 7 8\n");
        assertEquals(3, run(folder).right());
        Files.writeString(folder.resolve("qwen2.out"), " 5 6\n 5 7 7\n 7 8\n");
        Report report = run(folder);
        assertEquals(1, report.wrong(), report::toString);
        assertTrue(report.failures().getFirst().contains("text 1"), report::toString);
    }

    @Test
    void tableWithoutItsVocabularyIsRefused() throws IOException {
        Path table = folder.resolve("x.encodings.csv");
        Files.writeString(table, "input,output\na,[1]\nb,[2]\n");
        assertEquals(2, run(table).refused());
        assertEquals(
                List.of(List.of("a", "b"), List.of("1,\"2\"\n3", "")),
                CsvTable.parse("a,b\r\n\"1,\"\"2\"\"\n3\","));
    }
}
