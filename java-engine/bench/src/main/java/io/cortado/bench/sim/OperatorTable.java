package io.cortado.bench.sim;

import io.cortado.bench.BenchException;
import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.NavigableMap;
import java.util.TreeMap;
import java.util.zip.GZIPInputStream;
import org.jspecify.annotations.Nullable;

/**
 * Measured operators as vidur's medians have them: ms of one layer by tokens and ranks, or of an
 * all-reduce by bytes and ranks. Between two points a straight line, beyond the last its slope from
 * zero.
 */
public final class OperatorTable {
    /** What a file measures. */
    enum Kind {
        LAYER("num_tokens", "num_tensor_parallel_workers"),
        ALL_REDUCE("size", "num_workers");

        final String size;
        final String ranks;

        Kind(String size, String ranks) {
            this.size = size;
            this.ranks = ranks;
        }
    }

    private static final int MAX_BYTES = 64 << 20;
    private static final String TIME = "time_stats.";
    private static final String MEDIAN = ".median";
    private static final double NANOS_PER_MS = 1e6;

    private final Kind kind;
    private final long rows;

    /** By ranks, by size: nanoseconds. */
    private final NavigableMap<Integer, NavigableMap<Long, Double>> points = new TreeMap<>();

    private OperatorTable(Kind kind, long rows) {
        this.kind = kind;
        this.rows = rows;
    }

    /** True if the file's header is one of such a table. */
    public static boolean isTable(Path file) throws IOException {
        return kindOf(header(lines(file))) != null;
    }

    public static OperatorTable read(Path file) throws IOException {
        List<String> lines = lines(file);
        List<String> header = header(lines);
        Kind kind = kindOf(header);
        if (kind == null) {
            throw new BenchException("not a table of measured operators: file=" + file);
        }
        OperatorTable table = new OperatorTable(kind, lines.size() - 1L);
        for (int i = 1; i < lines.size(); i++) {
            try {
                table.add(header, List.of(lines.get(i).split(",", -1)));
            } catch (NumberFormatException | IndexOutOfBoundsException e) {
                throw new BenchException("%s:%d: not a row of the table".formatted(file, i + 1), e);
            }
        }
        return table;
    }

    private void add(List<String> header, List<String> fields) {
        double ms = 0;
        for (int c = 0; c < header.size(); c++) {
            // Embedding is once a step and far below a layer: it counts as one more operator.
            if (header.get(c).startsWith(TIME) && header.get(c).endsWith(MEDIAN)) {
                ms += Double.parseDouble(fields.get(c));
            }
        }
        long size = Long.parseLong(fields.get(header.indexOf(kind.size)));
        int ranks = Integer.parseInt(fields.get(header.indexOf(kind.ranks)));
        // Of several medians at one point the least disturbed.
        points.computeIfAbsent(ranks, _ -> new TreeMap<>())
                .merge(size, ms * NANOS_PER_MS, Math::min);
    }

    Kind kind() {
        return kind;
    }

    public long rows() {
        return rows;
    }

    /** What is wrong with the values; empty if nothing is. */
    public String fault() {
        for (var ranks : points.entrySet()) {
            for (var point : ranks.getValue().entrySet()) {
                boolean isTime = Double.isFinite(point.getValue()) && point.getValue() > 0;
                if (!isTime || point.getKey() < 1 || ranks.getKey() < 1) {
                    return "ranks=%d size=%d ns=%s"
                            .formatted(ranks.getKey(), point.getKey(), point.getValue());
                }
            }
        }
        return points.isEmpty() ? "no rows" : "";
    }

    /** Nanoseconds by size for so many ranks, in a form that is quick to ask. */
    Curve curve(int ranks) {
        NavigableMap<Long, Double> measured = points.get(ranks);
        if (measured == null) {
            throw new BenchException(
                    "--tensor-parallel must be one of %s, which were measured: tensor-parallel=%d"
                            .formatted(points.keySet(), ranks));
        }
        return new Curve(
                measured.keySet().stream().mapToLong(Long::longValue).toArray(),
                measured.values().stream().mapToDouble(Double::doubleValue).toArray());
    }

    /** Points with rising sizes. */
    record Curve(long[] sizes, double[] nanos) {
        double at(long size) {
            int found = Arrays.binarySearch(sizes, size);
            int above = found >= 0 ? found : -found - 1;
            if (above == sizes.length) {
                return nanos[above - 1] * size / sizes[above - 1];
            }
            if (found >= 0 || above == 0) {
                return nanos[above];
            }
            double part = (double) (size - sizes[above - 1]) / (sizes[above] - sizes[above - 1]);
            return nanos[above - 1] + part * (nanos[above] - nanos[above - 1]);
        }
    }

    private static @Nullable Kind kindOf(List<String> header) {
        boolean hasTimes =
                header.stream().anyMatch(name -> name.startsWith(TIME) && name.endsWith(MEDIAN));
        for (Kind kind : Kind.values()) {
            if (hasTimes && header.contains(kind.size) && header.contains(kind.ranks)) {
                return kind;
            }
        }
        return null;
    }

    private static List<String> header(List<String> lines) {
        return lines.isEmpty() ? List.of() : List.of(lines.getFirst().split(",", -1));
    }

    private static List<String> lines(Path file) throws IOException {
        try (InputStream raw = new BufferedInputStream(Files.newInputStream(file))) {
            raw.mark(2);
            boolean isGzipped = raw.read() == 0x1F && raw.read() == 0x8B;
            raw.reset();
            byte[] bytes = (isGzipped ? new GZIPInputStream(raw) : raw).readNBytes(MAX_BYTES + 1);
            if (bytes.length > MAX_BYTES) {
                throw new BenchException(
                        "a table has at most %d bytes: file=%s".formatted(MAX_BYTES, file));
            }
            return new String(bytes, StandardCharsets.UTF_8).lines().toList();
        }
    }
}
