package io.cortado.bench.conformance;

import io.cortado.bench.BenchException;
import io.cortado.bench.sim.OperatorTable;
import io.cortado.bench.traces.BlockCaches;
import io.cortado.bench.traces.LengthFacts;
import io.cortado.bench.traces.Trace;
import io.cortado.bench.traces.TraceReader;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * {@code conformance traces}: public traces read as they were meant, and hit ratios of the engine's
 * own cache on them. Judged by what the README beside a file says of it, and, for every file with
 * blocks, by models of the cache that know nothing of it.
 */
public final class TracesSuite implements Suite {
    private static final int MAX_PRINTED = 10;
    private static final int MAX_CAPACITY = 1 << 24;
    private static final List<Integer> CAPACITIES = List.of(64, 1_000, 10_000, 50_000);

    @Override
    public String name() {
        return "traces";
    }

    @Override
    public Report run(Path path, SuiteOptions options, PrintStream out) throws IOException {
        var all = new Tally();
        for (Path file : files(path)) {
            Report group = group(file, options);
            group.printGroup(out, MAX_PRINTED);
            all.add(group);
        }
        Report report = all.report(name());
        report.printResult(out);
        return report;
    }

    private static List<Path> files(Path path) throws IOException {
        if (Files.isRegularFile(path)) {
            return List.of(path);
        }
        try (Stream<Path> children = Files.walk(path)) {
            return children.filter(TracesSuite::isTable).sorted().toList();
        }
    }

    private static boolean isTable(Path file) {
        return Files.isRegularFile(file)
                && String.valueOf(file.getFileName()).matches(".*\\.(csv|jsonl)(\\.gz)?");
    }

    private static Report group(Path file, SuiteOptions options) throws IOException {
        var tally = new Tally();
        try {
            TraceOracle oracle = TraceOracle.of(file);
            if (TraceReader.isTrace(file)) {
                // A part of a trace has other facts than the whole.
                boolean isWhole = options.limit() == Integer.MAX_VALUE;
                trace(TraceReader.read(file, options.limit()), isWhole ? oracle : null, tally);
            } else if (OperatorTable.isTable(file)) {
                table(OperatorTable.read(file), oracle, tally);
            } else {
                tally.refused(
                        file.getFileName() + ": no format of a trace or of measured operators");
            }
        } catch (BenchException e) {
            tally.wrong(String.valueOf(e.getMessage()));
        }
        return tally.report(TraceReader.name(file));
    }

    private static void table(OperatorTable table, TraceOracle oracle, Tally tally) {
        told(tally, "rows", oracle.rows(), table.rows());
        tally.compare("all times are positive", "", table.fault());
    }

    private static void trace(Trace trace, @Nullable TraceOracle oracle, Tally tally) {
        tally.compare("the order of arrival", true, isRising(trace.arrivalNanos()));
        if (oracle != null) {
            told(tally, "rows", oracle.rows(), (long) trace.size());
            told(tally, "seconds", oracle.seconds(), Math.round(trace.durationNanos() / 1e9));
            told(tally, "inputs", oracle.inputs(), lengths(trace.inputs()));
            told(tally, "outputs", oracle.outputs(), lengths(trace.outputs()));
            told(tally, "clients", oracle.clients(), (long) trace.tenantNames().size());
            List<Long> top = oracle.topClients();
            if (top != null) {
                told(tally, "largest clients", top, top(trace, top.getFirst()));
            }
        }
        int[][] blocks = trace.blocks();
        if (blocks != null) {
            blocks(blocks, oracle, tally);
        }
    }

    private static void blocks(int[][] blocks, @Nullable TraceOracle oracle, Tally tally) {
        long references = Arrays.stream(blocks).mapToLong(ids -> ids.length).sum();
        int unique = 1 + Arrays.stream(blocks).flatMapToInt(IntStream::of).max().orElseThrow();
        String fault = chainFault(blocks, unique);
        if (fault.isEmpty()) {
            tally.right();
        } else {
            tally.refused("blocks that do not name prefixes: " + fault);
        }
        if (oracle != null) {
            told(tally, "block references", oracle.references(), references);
            told(tally, "unique blocks", oracle.uniqueBlocks(), (long) unique);
            told(
                    tally,
                    "hits of an infinite cache",
                    oracle.infiniteHitRatio(),
                    ratio(BlockCaches.touched(blocks, unique), references, "0.123"));
            for (int i = 0; i < oracle.capacities().size(); i++) {
                int capacity = Math.min(MAX_CAPACITY, oracle.capacities().get(i));
                String expected = oracle.hitRatios().get(i);
                String hits = ratio(BlockCaches.touched(blocks, capacity), references, expected);
                told(tally, "hits of an LRU of " + capacity, expected, hits);
            }
        }
        for (int capacity : CAPACITIES) {
            tally.compare(
                    "hits of blocks touched one by one, LRU of " + capacity,
                    BlockCaches.modelTouched(blocks, capacity),
                    BlockCaches.touched(blocks, capacity));
            if (fault.isEmpty()) {
                tally.compare(
                        "hits of whole requests, cache of " + capacity,
                        BlockCaches.modelChained(blocks, capacity),
                        BlockCaches.chained(blocks, capacity));
            }
        }
    }

    /** Numbers mean prefixes: what stands before a block is the same wherever it stands. */
    private static String chainFault(int[][] blocks, int unique) {
        int[] before = new int[unique];
        Arrays.fill(before, Integer.MIN_VALUE);
        for (int row = 0; row < blocks.length; row++) {
            int last = -1;
            for (int id : blocks[row]) {
                if (before[id] != Integer.MIN_VALUE && before[id] != last) {
                    return "row=%d block=%d follows %d and %d".formatted(row, id, before[id], last);
                }
                before[id] = last;
                last = id;
            }
        }
        return "";
    }

    private static boolean isRising(long[] arrivals) {
        return IntStream.range(1, arrivals.length).allMatch(i -> arrivals[i - 1] <= arrivals[i]);
    }

    private static List<Long> lengths(int[] lengths) {
        LengthFacts facts = LengthFacts.of(lengths);
        return List.of(
                Math.round(facts.mean()),
                (long) facts.p50(),
                (long) facts.p99(),
                (long) facts.max());
    }

    /** The n largest clients and their share of the requests in percent. */
    private static List<Long> top(Trace trace, long n) {
        int[] counts = new int[trace.tenantNames().size()];
        for (int tenant : trace.tenants()) {
            counts[tenant]++;
        }
        long largest =
                Arrays.stream(counts)
                        .boxed()
                        .sorted((a, b) -> Integer.compare(b, a))
                        .limit(n)
                        .mapToLong(Integer::longValue)
                        .sum();
        return List.of(n, Math.round(100.0 * largest / trace.size()));
    }

    /** With as many digits as the expected one has. */
    private static String ratio(long hits, long references, String like) {
        int digits = like.length() - like.indexOf('.') - 1;
        return String.format(Locale.ROOT, "%." + digits + "f", (double) hits / references);
    }

    /** Compares with what the README tells, if it does. */
    private static void told(Tally tally, String name, @Nullable Object expected, Object actual) {
        if (expected != null) {
            tally.compare(name, expected, actual);
        }
    }
}
