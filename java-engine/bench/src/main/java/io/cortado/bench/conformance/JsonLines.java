package io.cortado.bench.conformance;

import java.io.BufferedInputStream;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.zip.GZIPInputStream;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Reads JSON lines, gzipped or plain. */
final class JsonLines {
    private static final JsonMapper MAPPER = JsonMapper.builder().build();
    private static final JsonMapper EXACT =
            JsonMapper.builder().enable(DeserializationFeature.USE_BIG_DECIMAL_FOR_FLOATS).build();

    private JsonLines() {}

    static List<JsonNode> read(Path file, int limit) throws IOException {
        return read(file, limit, MAPPER);
    }

    /** With numbers exactly as they are written. */
    static List<JsonNode> readExact(Path file, int limit) throws IOException {
        return read(file, limit, EXACT);
    }

    private static List<JsonNode> read(Path file, int limit, JsonMapper mapper) throws IOException {
        var rows = new ArrayList<JsonNode>();
        try (var in =
                new BufferedReader(new InputStreamReader(open(file), StandardCharsets.UTF_8))) {
            for (String line = in.readLine();
                    line != null && rows.size() < limit;
                    line = in.readLine()) {
                if (!line.isBlank()) {
                    rows.add(mapper.readTree(line));
                }
            }
        }
        return rows;
    }

    static JsonNode readTree(Path file) throws IOException {
        try (InputStream in = open(file)) {
            return MAPPER.readTree(in.readAllBytes());
        }
    }

    /** The whole content of a file. */
    static byte[] bytes(Path file) throws IOException {
        try (InputStream in = open(file)) {
            return in.readAllBytes();
        }
    }

    static int[] ints(JsonNode array) {
        var ints = new int[array.size()];
        for (int i = 0; i < ints.length; i++) {
            ints[i] = array.path(i).intValue();
        }
        return ints;
    }

    private static InputStream open(Path file) throws IOException {
        var in = new BufferedInputStream(Files.newInputStream(file));
        in.mark(2);
        boolean gzipped = in.read() == 0x1F && in.read() == 0x8B;
        in.reset();
        return gzipped ? new GZIPInputStream(in) : in;
    }
}
