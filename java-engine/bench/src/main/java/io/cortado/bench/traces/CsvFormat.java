package io.cortado.bench.traces;

import io.cortado.bench.BenchException;
import java.time.DateTimeException;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.time.format.DateTimeFormatterBuilder;
import java.time.temporal.ChronoField;
import java.time.temporal.TemporalAccessor;
import java.time.temporal.TemporalQueries;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** A CSV trace by the names of its columns; other columns are not looked at. */
final class CsvFormat {
    /** Names of columns; the tenant's may be null. */
    private enum Kind {
        AZURE("TIMESTAMP", "ContextTokens", "GeneratedTokens", null),
        BURST_GPT("Timestamp", "Request tokens", "Response tokens", "Model"),
        VTC("req_time_s", "prompt_tokens", "output_tokens", "client");

        final List<@Nullable String> names;

        Kind(String time, String input, String output, @Nullable String tenant) {
            names = Arrays.asList(time, input, output, tenant);
        }
    }

    private static final double NANOS_PER_S = 1e9;

    /** {@code 2023-11-16 18:15:46.6805900}, also with a zone's offset behind it. */
    private static final DateTimeFormatter DATE =
            new DateTimeFormatterBuilder()
                    .append(DateTimeFormatter.ISO_LOCAL_DATE)
                    .appendPattern("[ ]['T']HH:mm:ss")
                    .optionalStart()
                    .appendFraction(ChronoField.NANO_OF_SECOND, 0, 9, true)
                    .optionalEnd()
                    .optionalStart()
                    .appendOffset("+HH:MM", "Z")
                    .optionalEnd()
                    .toFormatter(Locale.ROOT);

    private final int numColumns;
    private final int time;
    private final int input;
    private final int output;
    private final int tenant;

    private CsvFormat(List<String> header, Kind kind) {
        numColumns = header.size();
        time = header.indexOf(kind.names.get(0));
        input = header.indexOf(kind.names.get(1));
        output = header.indexOf(kind.names.get(2));
        tenant = kind.names.get(3) == null ? -1 : header.indexOf(kind.names.get(3));
    }

    /** The format of a header line; null where it is none of ours. */
    static @Nullable CsvFormat find(String line) {
        List<String> header = new ArrayList<>(TraceReader.columns(line));
        header.set(0, header.getFirst().replace("\uFEFF", ""));
        for (Kind kind : Kind.values()) {
            if (kind.names.stream().allMatch(name -> name == null || header.contains(name))) {
                return new CsvFormat(header, kind);
            }
        }
        return null;
    }

    static String known() {
        return Arrays.stream(Kind.values())
                .map(kind ->
                        kind.names.stream()
                                .filter(name -> name != null)
                                .collect(Collectors.joining(",")))
                .collect(Collectors.joining(" | "));
    }

    void add(String line, TraceRows rows) {
        List<String> fields = TraceReader.columns(line);
        if (fields.size() != numColumns) {
            throw new BenchException(
                    "a row has as many columns as the header: header=%d row=%d"
                            .formatted(numColumns, fields.size()));
        }
        rows.add(
                nanos(fields.get(time)),
                tokens(fields.get(input)),
                tokens(fields.get(output)),
                tenant < 0 ? "" : fields.get(tenant),
                NO_BLOCKS);
    }

    private static final long[] NO_BLOCKS = {};

    private static long tokens(String field) {
        try {
            return Long.parseLong(field);
        } catch (NumberFormatException e) {
            throw new BenchException("tokens must be an integer: " + field, e);
        }
    }

    /** Seconds, or a date with a time. */
    private static long nanos(String field) {
        try {
            if (field.indexOf(':') < 0) {
                double seconds = Double.parseDouble(field);
                if (!(seconds >= 0 && seconds < Long.MAX_VALUE / NANOS_PER_S)) {
                    throw new BenchException("a time must be a number of seconds: " + field);
                }
                return (long) (seconds * NANOS_PER_S);
            }
            TemporalAccessor parsed = DATE.parse(field);
            ZoneOffset offset = parsed.query(TemporalQueries.offset());
            LocalDateTime local = LocalDateTime.from(parsed);
            long seconds = local.toEpochSecond(offset == null ? ZoneOffset.UTC : offset);
            return Math.addExact(
                    Math.multiplyExact(seconds, (long) NANOS_PER_S), (long) local.getNano());
        } catch (NumberFormatException | DateTimeException | ArithmeticException e) {
            throw new BenchException("not a time: " + field, e);
        }
    }
}
