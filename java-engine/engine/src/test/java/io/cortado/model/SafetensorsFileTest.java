package io.cortado.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

class SafetensorsFileTest {
    private static final Path BAD =
            Path.of(System.getProperty("cortado.root", "."), "../shared/suites/quant/bad");

    @TestFactory
    List<DynamicTest> validFilesOpenAndSpoiltOnesAreRefusedWithTheirName() throws Exception {
        Assumptions.assumeTrue(Files.exists(BAD), "absent here: " + BAD);
        List<DynamicTest> tests = new ArrayList<>();
        JsonNode list = JsonMapper.shared().readTree(Files.readAllBytes(BAD.resolve("bad.json")));
        for (JsonNode entry : list.isArray() ? list : list.path("files")) {
            String name = entry.path("file").stringValue();
            boolean valid = entry.path("valid").booleanValue();
            tests.add(DynamicTest.dynamicTest(name, () -> check(BAD.resolve(name), valid)));
        }
        assertTrue(tests.size() > 30, "too few cases: " + tests.size());
        return tests;
    }

    private static void check(Path file, boolean valid) {
        if (valid) {
            try (SafetensorsFile safetensors = SafetensorsFile.open(file)) {
                assertTrue(!safetensors.tensors().isEmpty());
            }
            return;
        }
        var refused = assertThrows(ModelException.class, () -> SafetensorsFile.open(file));
        assertEquals(ModelException.Kind.INVALID, refused.kind());
        String message = String.valueOf(refused.getMessage());
        assertTrue(message.contains(file.getFileName().toString()), message);
        assertTrue(message.length() < 1000, message);
    }

    @Test
    void aHeaderThatAJsonParserWouldTakeForUtf16IsRefused(@TempDir Path folder) throws IOException {
        byte[] bytes = ByteBuffer.allocate(12).order(ByteOrder.LITTLE_ENDIAN).putLong(4).array();
        bytes[8] = '{';
        bytes[10] = '}';
        Path file = Files.write(folder.resolve("a.safetensors"), bytes);
        var refused = assertThrows(ModelException.class, () -> SafetensorsFile.open(file));
        assertTrue(String.valueOf(refused.getMessage()).contains("UTF-8"), refused.toString());
    }
}
