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
 * experts on ranks within this process, which share its cores, against one rank. Turns alternate.
 */
@Command(
        name = "ranks",
        description = "Experts on several ranks of this process against one rank.",
        mixinStandardHelpOptions = true)
final class RanksBench implements Callable<Integer> {
    @Parameters(arity = "0..1", paramLabel = "MODEL", description = "default: demo-moe")
    Path model = Path.of("demo-moe");

    @Option(names = "--runs", description = "turns of each layout; default: ${DEFAULT-VALUE}")
    int runs = 5;

    @Option(names = "--prompt-len", description = "tokens; default: ${DEFAULT-VALUE}")
    int promptLen = 256;

    @Option(names = "--batch", description = "requests at once; default: ${DEFAULT-VALUE}")
    int batch = 16;

    @Option(names = "--output-len", description = "tokens; default: ${DEFAULT-VALUE}")
    int outputLen = 32;

    @Option(names = "--json", paramLabel = "FILE", description = "the results as JSON as well")
    @Nullable Path json;

    /** An engine, and the seconds of each of its turns. */
    private record Layout(String name, Engine engine, List<Double> prefill, List<Double> decode) {}

    @Override
    public Integer call() throws Exception {
        BenchCommand.require(runs >= 1, "runs", "positive", runs);
        BenchCommand.require(batch >= 1, "batch", "positive", batch);
        List<Layout> layouts = new ArrayList<>();
        try {
            Path folder = folder();
            layouts.add(open(folder, "one", GangOptions.NONE));
            RandomPrompts.requireFits(layouts.getFirst().engine.model(), promptLen, outputLen);
            layouts.add(open(folder, "ep2", GangOptions.NONE.expertParallel(2)));
            layouts.add(open(folder, "ep4", GangOptions.NONE.expertParallel(4)));
            layouts.add(open(folder, "1_1", GangOptions.NONE.apart(1, 1)));
            layouts.add(open(folder, "1_3", GangOptions.NONE.apart(1, 3)));
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

    private Layout open(Path folder, String name, GangOptions gang) {
        EngineOptions options =
                EngineOptions.defaults()
                        .maxModelLen(promptLen + outputLen)
                        .maxNumSeqs(batch)
                        .prefixCaching(false)
                        .gang(gang);
        Engine engine = Engine.open(folder, options);
        return new Layout(name, engine, new ArrayList<>(), new ArrayList<>());
    }

    private Path folder() throws IOException {
        return DemoModel.find(model, name -> CacheFolder.resolve(name.toString()));
    }

    /** The first turn warms up. */
    private void turn(Layout layout, int run) throws InterruptedException {
        double prefill = seconds(layout.engine, run, 1);
        double whole = seconds(layout.engine, run, outputLen);
        if (run > 0) {
            layout.prefill.add(prefill);
            layout.decode.add(whole - prefill);
        }
    }

    private double seconds(Engine engine, long seed, int tokens) throws InterruptedException {
        RandomPrompts prompts = new RandomPrompts(engine.model().vocabSize(), seed);
        List<GenerationRequest> requests = new ArrayList<>();
        for (int i = 0; i < batch; i++) {
            requests.add(RandomPrompts.request(prompts.next(promptLen), tokens));
        }
        long start = System.nanoTime();
        List<GenerationStream> streams = requests.stream().map(engine::generate).toList();
        for (GenerationStream stream : streams) {
            try (stream) {
                for (var event = stream.next(); event != null; event = stream.next()) {
                    if (event instanceof GenerationEvent.Failed failed) {
                        throw failed.error();
                    }
                }
            }
        }
        return (System.nanoTime() - start) / 1e9;
    }

    private static double median(List<Double> values) {
        return Summary.of(values.stream().mapToDouble(Double::doubleValue).toArray()).median();
    }

    private void print(List<Layout> layouts) throws IOException {
        Results results = new Results();
        Table table = new Table("ranks", "prefill", "decode");
        Layout one = layouts.getFirst();
        for (Layout own : layouts) {
            double prefill = median(own.prefill) / median(one.prefill);
            double decode = median(own.decode) / median(one.decode);
            table.row(own.name, "%.2f".formatted(prefill), "%.2f".formatted(decode));
            results.put("ranks_" + own.name + "_prefill", prefill, "ratio");
            results.put("ranks_" + own.name + "_decode", decode, "ratio");
        }
        System.out.println("of one rank's time:");
        table.print(System.out);
        System.out.println();
        results.print(System.out);
        if (json != null) {
            results.writeJson(json);
        }
    }
}
