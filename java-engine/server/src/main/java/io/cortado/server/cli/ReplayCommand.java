package io.cortado.server.cli;

import io.cortado.api.Engine;
import io.cortado.api.RequestReport;
import io.cortado.server.record.RecordHeader;
import io.cortado.server.record.RecordedRequest;
import io.cortado.server.record.Recording;
import io.cortado.server.record.Replay;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.concurrent.Callable;
import java.util.function.ToLongFunction;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code cortado replay FILE [MODEL]}. */
@Command(
        name = "replay",
        description =
                "Runs a recording again, with its model and flags unless others are given, and"
                        + " compares token by token. Exit code 1 on any difference.",
        mixinStandardHelpOptions = true,
        sortOptions = false)
final class ReplayCommand implements Callable<Integer> {
    private static final int MAX_TOLD = 20;

    @Spec CommandSpec spec = CommandSpec.create(); // picocli puts the command's own here

    @Parameters(index = "0", paramLabel = "FILE", description = "what --record has written")
    Path file = Path.of("");

    @Parameters(
            index = "1",
            arity = "0..1",
            paramLabel = "MODEL",
            description = "checkpoint folder; absent: the recorded one")
    @Nullable Path model;

    @Option(
            names = "--as-fast-as-possible",
            description = "requests arrive at once, not as far apart as they did")
    boolean isHurried;

    @Mixin EngineFlags engineFlags = new EngineFlags();

    @Override
    public Integer call() throws IOException, InterruptedException {
        Recording recording = Recording.read(file);
        RecordHeader header = recording.header();
        List<String> all = new ArrayList<>(header.flags());
        all.addAll(FlagText.given(spec));
        EngineFlags flags = FlagText.parse(all);
        Path folder = model != null || header.model() == null ? model : Path.of(header.model());
        long start;
        List<Replay.Result> results;
        try (Engine engine = flags.open(folder)) {
            header.requireSameModel(engine.model());
            start = System.nanoTime();
            results = new Replay(engine, !isHurried, flags.maxWaiting).run(recording.requests());
        }
        return tell(results, (System.nanoTime() - start) / 1e9);
    }

    private static int tell(List<Replay.Result> results, double seconds) {
        long same = 0;
        long different = 0;
        long tokens = 0;
        for (Replay.Result result : results) {
            tokens += result.tokens();
            same += result.isCompared() && result.difference() == null ? 1 : 0;
            if (result.difference() != null && different++ < MAX_TOLD) {
                RecordedRequest recorded = result.recorded();
                System.out.printf(
                        "different: request %d %s: %s%n",
                        recorded.number(), recorded.request().id(), result.difference());
            }
        }
        System.out.printf(
                Locale.ROOT,
                "%d requests, %d recorded tokens, again in %.2f s: %d the same, %d different, %d"
                        + " without a recorded answer%n",
                results.size(),
                tokens,
                seconds,
                same,
                different,
                results.size() - same - different);
        times("TTFT", results, report -> report.timings().ttftNanos());
        times("TPOT", results, report -> (long) report.timings().tpotNanos());
        return different == 0 ? 0 : 1;
    }

    private static void times(
            String name, List<Replay.Result> results, ToLongFunction<RequestReport> time) {
        long[] before =
                sorted(
                        results.stream()
                                .map(result -> result.recorded().outcome())
                                .filter(Objects::nonNull)
                                .map(RecordedRequest.Outcome::report),
                        time);
        long[] now = sorted(results.stream().map(Replay.Result::report), time);
        if (before.length > 0 && now.length > 0) {
            System.out.printf(
                    Locale.ROOT,
                    "%s  recorded p50 %.1f ms p99 %.1f ms  now p50 %.1f ms p99 %.1f ms%n",
                    name,
                    at(before, 50),
                    at(before, 99),
                    at(now, 50),
                    at(now, 99));
        }
    }

    private static long[] sorted(
            Stream<@Nullable RequestReport> reports, ToLongFunction<RequestReport> time) {
        long[] values = reports.filter(Objects::nonNull).mapToLong(time).toArray();
        Arrays.sort(values);
        return values;
    }

    private static double at(long[] sorted, int percent) {
        return sorted[(sorted.length - 1) * percent / 100] / 1e6;
    }
}
