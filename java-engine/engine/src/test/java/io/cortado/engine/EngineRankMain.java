package io.cortado.engine;

import io.cortado.api.Engine;
import io.cortado.api.EngineException;
import io.cortado.api.EngineOptions;
import io.cortado.api.GangOptions;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/**
 * A rank of a gang of engines: arguments are the model, {@code ep} or {@code apart}, how many ranks
 * have attention and how many experts, rank, processes, where they meet, the timeout in ms,
 * micro-batches, and where there is one, a {@link Halt}, of which it says AT. A rank that serves
 * reads commands, a line each: {@code ask FIRST} answers the requests of {@link ExpertRanksTest}
 * from that one on, {@code loop} asks until it fails.
 */
final class EngineRankMain {
    private EngineRankMain() {}

    public static void main(String[] args) throws Exception {
        int code = 0;
        try {
            EngineOptions options = options(args);
            GangConnector connector = GangConnector.of(options);
            run(Path.of(args[0]), options, args.length > 9 ? halt(args[9], connector) : connector);
            System.out.println("ENDED");
        } catch (EngineException e) {
            System.out.println("FAILED " + e.code() + " " + e.getMessage());
            code = 3;
        }
        System.out.flush();
        System.exit(code);
    }

    private static EngineOptions options(String[] args) {
        int attention = Integer.parseInt(args[2]);
        int experts = Integer.parseInt(args[3]);
        boolean isApart = args[1].equals("apart");
        GangOptions gang =
                new GangOptions(
                        isApart ? 0 : experts,
                        attention,
                        isApart ? experts : 0,
                        0,
                        1,
                        0,
                        Integer.parseInt(args[8]),
                        Integer.parseInt(args[7]),
                        Integer.parseInt(args[4]),
                        Integer.parseInt(args[5]),
                        args[6]);
        return ExpertRanksTest.options(EngineOptions.Activations.F32).threads(1).gang(gang);
    }

    private static GangConnector halt(String text, GangConnector connector) {
        Halt halt = Halt.of(text);
        return (rank, size, model) ->
                halt.of(connector.connect(rank, size, model), () -> System.out.println("AT"));
    }

    private static void run(Path model, EngineOptions options, GangConnector connector)
            throws Exception {
        if (!options.gang().serves()) {
            CortadoEngineProvider.follow(model, options, connector);
            return;
        }
        try (Engine engine = CortadoEngineProvider.open(model, options, connector)) {
            System.out.println("READY");
            BufferedReader commands =
                    new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
            for (String line = commands.readLine(); line != null; line = commands.readLine()) {
                String[] words = line.split(" ");
                if (words[0].equals("ask")) {
                    int first = Integer.parseInt(words[1]);
                    for (String answer :
                            ExpertRanksTest.ask(engine, ExpertRanksTest.requests(first))) {
                        System.out.println("ANSWER " + answer);
                    }
                    System.out.println("DONE");
                } else {
                    askUntilItFails(engine);
                }
            }
        }
    }

    private static void askUntilItFails(Engine engine) throws InterruptedException {
        System.out.println("LOOPING");
        while (true) {
            var streams = ExpertRanksTest.requests(0).stream().map(engine::generate).toList();
            EngineException failure = null;
            for (var stream : streams) {
                EngineException own = Answers.read(stream).failure;
                failure = own == null ? failure : own;
            }
            if (failure != null) {
                throw failure;
            }
        }
    }
}
