package io.cortado.bench;

import io.cortado.bench.chaos.Chaos;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * A server process under mixed load, ill-treated; exit code 1 if anything that must hold does not.
 */
@Command(
        name = "chaos",
        description = {
            "A server process with a small heap and a tiny KV cache under mixed load: cancels, slow",
            "readers, malformed requests, frozen moments, SIGTERM at the end. No answer may be lost,",
            "doubled or different from the one at idle, blocks return within 1 s, memory stays flat."
        },
        mixinStandardHelpOptions = true)
final class ChaosBench extends BenchCommand {
    @Option(names = "--seconds", description = "of load, at least 20; 1800 is the soak")
    int seconds = 60;

    @Option(names = "--heap", description = "of the server's JVM")
    String heap = "48m";

    @Option(names = "--clients", description = "at once")
    int clients = 24;

    @Override
    void run(Results results) throws IOException, InterruptedException {
        require(seconds >= 20 && seconds <= 1_000_000, "seconds", "in [20, 1e6]", seconds);
        require(clients >= 1 && clients <= 1000, "clients", "in [1, 1000]", clients);
        require(heap.matches("[1-9][0-9]{0,5}[mMgG]"), "heap", "a size such as 48m", heap);
        new Chaos(new Chaos.Plan(seconds, heap, clients, seed, flags()), results, out).run();
    }

    private List<String> flags() {
        List<String> flags = new ArrayList<>();
        if (model != null) {
            flags.add(model.toString());
        }
        flags.addAll(
                List.of(
                        "--device",
                        engine.device,
                        "--threads",
                        Integer.toString(engine.threads),
                        "--isa",
                        engine.isa,
                        "--activations",
                        engine.activations.name().toLowerCase(Locale.ROOT),
                        "--scheduling-policy",
                        engine.schedulingPolicy.name().toLowerCase(Locale.ROOT)));
        return flags;
    }
}
