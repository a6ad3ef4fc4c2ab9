package io.cortado.bench;

import io.cortado.api.Engine;
import io.cortado.api.EngineOptions;
import io.cortado.api.GangOptions;
import io.cortado.api.GenerationEvent;
import io.cortado.api.GenerationRequest;
import io.cortado.api.GenerationStream;
import io.cortado.demo.DemoModel;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/**
 * What it costs to bring tokens to experts on other ranks and their results back: a mixture of
 * experts on ranks within this process, which share its cores, against one rank; steps of two
 * micro-batches, of which one is computed while the other is with the experts, and steps of as many
 * as took less time, against steps of one; and in which part of the time each side waits. Turns
 * alternate.
 */
@Command(
        name = "ranks",
        description = "Experts on several ranks of this process against one rank.",
        mixinStandardHelpOptions = true)
final class RanksBench implements Callable<Integer> {
    /** Behind the names of layouts. */
    private static final String TWO = "_two";

    private static final String AUTO = "_auto";

    @Parameters(arity = "0..1", paramLabel = "MODEL", description = "default: demo-moe")
    Path model = Path.of("demo-moe");

    @Option(names = "--runs", description = "turns of each layout; default: ${DEFAULT-VALUE}")
    int runs = 5;

    @Option(names = "--prompt-len", description = "tokens; default: ${DEFAULT-VALUE}")
    int promptLen = 256;

    @Option(names = "--batch", description = "requests at once; default: ${DEFAULT-VALUE}")
    int batch = 16;

    @Option(names = "--output-len", description = "tokens; default: ${DEFAULT-VALUE}")
    int outputLen = 64;

    @Option(
            names = "--micro-batches",
            description =
                    "2: steps of two, and of one or two, as well as of one; default:"
                            + " ${DEFAULT-VALUE}")
    int microBatches = 2;

    @Option(names = "--threads", description = "of each rank; default: as the engine has it")
    int threads;

    @Option(names = "--json", paramLabel = "FILE", description = "the results as JSON as well")
    @Nullable Path json;

    /** An engine, and the seconds of each of its turns; then the parts in which sides waited. */
    private record Layout(
            String name,
            Engine engine,
            List<Double> prefill,
            List<Double> decode,
            List<Double> attentionWaits,
            List<Double> expertsWait) {}

    @Override
    public Integer call() throws Exception {
        BenchCommand.require(runs >= 1, "runs", "positive", runs);
        BenchCommand.require(batch >= 1, "batch", "positive", batch);
        BenchCommand.require(outputLen >= 2, "output-len", "at least 2", outputLen);
        BenchCommand.require(
                microBatches == 1 || microBatches == 2, "micro-batches", "1 or 2", microBatches);
        List<Layout> layouts = new ArrayList<>();
        try {
            Path folder = folder();
            layouts.add(open(folder, "one", GangOptions.NONE));
            RandomPrompts.requireFits(layouts.getFirst().engine.model(), promptLen, outputLen);
            spread(layouts, folder, "ep2", GangOptions.NONE.expertParallel(2));
            spread(layouts, folder, "ep4", GangOptions.NONE.expertParallel(4));
            spread(layouts, folder, "1_1", GangOptions.NONE.apart(1, 1));
            spread(layouts, folder, "1_3", GangOptions.NONE.apart(1, 3));
            for (int run = 0; run <= runs; run++) {
                for (Layout layout : layouts) {
                    turn(layout, run);
                }
            }
        } finally {
            layouts.forEach(layout -> layout.engine.close());
        }
        print(layouts);
        return 0;
    }

    private void spread(List<Layout> layouts, Path folder, String name, GangOptions gang) {
        layouts.add(open(folder, name, gang));
        if (microBatches > 1) {
            layouts.add(open(folder, name + TWO, gang.microBatches(2)));
            int auto = GangOptions.AUTO_MICRO_BATCHES;
            layouts.add(open(folder, name + AUTO, gang.microBatches(auto)));
        }
    }

    private Layout open(Path folder, String name, GangOptions gang) {
        EngineOptions options =
                EngineOptions.defaults()
                        .maxModelLen(promptLen + outputLen)
                        .maxNumSeqs(batch)
                        .prefixCaching(false)
                        .threads(threads)
                        .gang(gang);
        Engine engine = Engine.open(folder, options);
        return new Layout(
                name,
                engine,
                new ArrayList<>(),
                new ArrayList<>(),
                new ArrayList<>(),
                new ArrayList<>());
    }

    private Path folder() throws IOException {
        return DemoModel.find(model, name -> CacheFolder.resolve(name.toString()));
    }

    /** The first turn warms up. Its prefill ends when all have their first token. */
    private void turn(Layout layout, int run) throws InterruptedException {
        List<GenerationRequest> requests = requests(layout.engine, run);
        wake(layout.engine);
        double attention = waited(layout.engine, false);
        double experts = waited(layout.engine, true);
        long start = System.nanoTime();
        List<GenerationStream> streams = requests.stream().map(layout.engine::generate).toList();
        long begun;
        try {
            for (GenerationStream stream : streams) {
                readFirst(stream);
            }
            begun = System.nanoTime();
            for (GenerationStream stream : streams) {
                while (next(stream) != null) {
                    continue;
                }
            }
        } finally {
            streams.forEach(GenerationStream::close);
        }
        long end = System.nanoTime();
        if (run > 0) {
            double whole = (end - start) / 1e9;
            layout.prefill.add((begun - start) / 1e9);
            layout.decode.add((end - begun) / 1e9);
            layout.attentionWaits.add((waited(layout.engine, false) - attention) / whole);
            layout.expertsWait.add((waited(layout.engine, true) - experts) / whole);
        }
    }

    /** Since their last turn ranks have waited for this one, which is no part of it. */
    private static void wake(Engine engine) throws InterruptedException {
        RandomPrompts prompts = new RandomPrompts(engine.model().vocabSize(), 0);
        GenerationRequest request = RandomPrompts.request(prompts.next(1), 1);
        try (GenerationStream stream = engine.generate(request)) {
            while (next(stream) != null) {
                continue;
            }
        }
    }

    private static void readFirst(GenerationStream stream) throws InterruptedException {
        GenerationEvent event = next(stream);
        while (event != null && !(event instanceof GenerationEvent.Delta)) {
            event = next(stream);
        }
    }

    private static @Nullable GenerationEvent next(GenerationStream stream)
            throws InterruptedException {
        GenerationEvent event = stream.next();
        if (event instanceof GenerationEvent.Failed failed) {
            throw failed.error();
        }
        return event;
    }

    /** Seconds so far, on average of the side's ranks. */
    private static double waited(Engine engine, boolean byExperts) {
        return engine.rankTimes().stream()
                .filter(times -> times.holdsExperts() == byExperts)
                .mapToDouble(times -> times.waitedNanos() / 1e9)
                .average()
                .orElse(0);
    }

    private List<GenerationRequest> requests(Engine engine, long seed) {
        RandomPrompts prompts = new RandomPrompts(engine.model().vocabSize(), seed);
        List<GenerationRequest> requests = new ArrayList<>();
        for (int i = 0; i < batch; i++) {
            requests.add(RandomPrompts.request(prompts.next(promptLen), outputLen));
        }
        return requests;
    }

    private static double median(List<Double> values) {
        return Summary.of(values.stream().mapToDouble(Double::doubleValue).toArray()).median();
    }

    /** Behind the first, each layout is followed by itself with other micro-batches. */
    private static Table compare(List<Layout> layouts, Results results) {
        Table table = new Table("ranks", "prefill", "decode");
        for (int i = 1; i < layouts.size(); i += 3) {
            Layout one = layouts.get(i);
            for (Layout other : layouts.subList(i + 1, i + 3)) {
                double prefill = median(other.prefill) / median(one.prefill);
                double decode = median(other.decode) / median(one.decode);
                table.row(other.name, "%.2f".formatted(prefill), "%.2f".formatted(decode));
                results.put("ranks_" + other.name + "_of_one_prefill", prefill, "ratio");
                results.put("ranks_" + other.name + "_of_one_decode", decode, "ratio");
            }
        }
        return table;
    }

    private void print(List<Layout> layouts) throws IOException {
        Results results = new Results();
        Table table = new Table("ranks", "prefill", "decode", "attention waits", "experts wait");
        Layout one = layouts.getFirst();
        for (Layout own : layouts) {
            double prefill = median(own.prefill) / median(one.prefill);
            double decode = median(own.decode) / median(one.decode);
            boolean isSpread = !own.name.equals(one.name);
            table.row(
                    own.name,
                    "%.2f".formatted(prefill),
                    "%.2f".formatted(decode),
                    isSpread ? "%.2f".formatted(median(own.attentionWaits)) : "",
                    isSpread ? "%.2f".formatted(median(own.expertsWait)) : "");
            if (isSpread) {
                String name = "ranks_" + own.name;
                results.put(name + "_attention_waits", median(own.attentionWaits), "part");
                results.put(name + "_experts_wait", median(own.expertsWait), "part");
            }
            results.put("ranks_" + own.name + "_prefill", prefill, "ratio");
            results.put("ranks_" + own.name + "_decode", decode, "ratio");
        }
        System.out.println("of one rank's time; parts of the own time in which a side waits:");
        table.print(System.out);
        System.out.println();
        if (microBatches > 1) {
            System.out.println("steps of other micro-batches, of the time of steps of one:");
            compare(layouts, results).print(System.out);
            System.out.println();
        }
        results.print(System.out);
        if (json != null) {
            results.writeJson(json);
        }
    }
}
