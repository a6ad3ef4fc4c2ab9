package io.cortado.bench.traces;

import io.cortado.bench.BenchException;
import java.io.BufferedInputStream;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.zip.GZIPInputStream;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Reads traces, gzipped or plain, known by their first line: JSON lines of Mooncake, or CSV whose
 * header names the columns of a {@link CsvFormat}. Wrong rows are refused with their line.
 */
public final class TraceReader {
    /** Mooncake's blocks. */
    public static final int MOONCAKE_BLOCK_TOKENS = 512;

    private static final int MAX_LINE = 16 << 20;
    private static final double NANOS_PER_MS = 1e6;
    private static final JsonMapper MAPPER = JsonMapper.builder().build();

    private TraceReader() {}

    /** True if the file's first line looks like one of the formats. */
    public static boolean isTrace(Path file) throws IOException {
        try (BufferedReader in = open(file)) {
            String first = line(in);
            return first != null
                    && (first.stripLeading().startsWith("{") || CsvFormat.find(first) != null);
        }
    }

    /**
     * @param limit the most rows
     */
    public static Trace read(Path file, int limit) throws IOException {
        int number = 1;
        try (BufferedReader in = open(file)) {
            String first = line(in);
            if (first == null) {
                throw new BenchException("the file is empty");
            }
            CsvFormat format = CsvFormat.find(first);
            boolean isJson = first.stripLeading().startsWith("{");
            if (format == null && !isJson) {
                throw new BenchException(
                        "neither JSON lines nor one of the headers " + CsvFormat.known());
            }
            TraceRows rows = new TraceRows(isJson ? MOONCAKE_BLOCK_TOKENS : 0);
            String line = isJson ? first : line(in);
            number += isJson ? 0 : 1;
            for (; line != null && rows.size() < limit; line = line(in)) {
                if (!line.isBlank()) {
                    if (format == null) {
                        mooncake(line, rows);
                    } else {
                        format.add(line, rows);
                    }
                }
                number++;
            }
            return rows.finish(name(file));
        } catch (BenchException e) {
            throw new BenchException("%s:%d: %s".formatted(file, number, e.getMessage()), e);
        }
    }

    /** The file's name without what follows its first dot. */
    public static String name(Path file) {
        String name = String.valueOf(file.getFileName());
        int dot = name.indexOf('.');
        return dot <= 0 ? name : name.substring(0, dot);
    }

    private static void mooncake(String line, TraceRows rows) {
        JsonNode row;
        try {
            row = MAPPER.readTree(line);
        } catch (JacksonException e) {
            throw new BenchException("not JSON: " + e.getOriginalMessage(), e);
        }
        double ms = number(row, "timestamp").doubleValue();
        if (!(ms >= 0 && ms < Long.MAX_VALUE / NANOS_PER_MS)) {
            throw new BenchException("timestamp must be a number of ms: timestamp=" + ms);
        }
        JsonNode ids = row.path("hash_ids");
        if (!ids.isArray()) {
            throw new BenchException("hash_ids must be an array");
        }
        long[] blocks = new long[ids.size()];
        for (int i = 0; i < blocks.length; i++) {
            if (!ids.path(i).isIntegralNumber() || !ids.path(i).canConvertToLong()) {
                throw new BenchException("hash_ids must be integers: " + ids.path(i));
            }
            blocks[i] = ids.path(i).longValue();
        }
        long input = whole(row, "input_length");
        int needed = (int) ((input + MOONCAKE_BLOCK_TOKENS - 1) / MOONCAKE_BLOCK_TOKENS);
        if (input <= TraceRows.MAX_TOKENS && blocks.length != needed) {
            throw new BenchException(
                    "a prompt has a block of %d tokens each: input_length=%d hash_ids=%d"
                            .formatted(MOONCAKE_BLOCK_TOKENS, input, blocks.length));
        }
        rows.add((long) (ms * NANOS_PER_MS), input, whole(row, "output_length"), "", blocks);
    }

    private static JsonNode number(JsonNode row, String name) {
        JsonNode value = row.path(name);
        if (!value.isNumber()) {
            throw new BenchException(name + " must be a number: " + name + "=" + value);
        }
        return value;
    }

    private static long whole(JsonNode row, String name) {
        JsonNode value = number(row, name);
        if (!value.isIntegralNumber() || !value.canConvertToLong()) {
            throw new BenchException(name + " must be an integer: " + name + "=" + value);
        }
        return value.longValue();
    }

    /** The columns of a CSV line; quotes are for names with commas, which no format has. */
    static List<String> columns(String line) {
        return Arrays.stream(line.split(",", -1)).map(String::strip).toList();
    }

    static BufferedReader open(Path file) throws IOException {
        InputStream in = new BufferedInputStream(Files.newInputStream(file));
        in.mark(2);
        boolean isGzipped = in.read() == 0x1F && in.read() == 0x8B;
        in.reset();
        return new BufferedReader(
                new InputStreamReader(
                        isGzipped ? new GZIPInputStream(in) : in, StandardCharsets.UTF_8));
    }

    /** A line of bounded length; null at the end. */
    private static @Nullable String line(BufferedReader in) throws IOException {
        int c = in.read();
        if (c < 0) {
            return null;
        }
        StringBuilder line = new StringBuilder();
        for (; c >= 0 && c != '\n'; c = in.read()) {
            if (line.length() == MAX_LINE) {
                throw new BenchException("a line has more than " + MAX_LINE + " characters");
            }
            line.append((char) c);
        }
        return line.toString();
    }
}
