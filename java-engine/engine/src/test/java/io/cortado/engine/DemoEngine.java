package io.cortado.engine;

import io.cortado.api.Engine;
import io.cortado.api.EngineOptions;
import io.cortado.api.GenerationRequest;
import io.cortado.api.Prompt;
import io.cortado.api.SamplingParams;
import io.cortado.demo.DemoModel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** The demo model on the CPU, and its golden answers. */
final class DemoEngine {
    /** A prompt of golden.json and the greedy ids that follow. */
    record Golden(int[] prompt, List<Integer> greedy, String text) {}

    /** The models that are asked the same. */
    enum Model {
        DENSE(6 * 2),
        EXPERTS(5);

        private final int kvHeads;

        /**
         * @param kvHeads of all layers
         */
        Model(int kvHeads) {
            this.kvHeads = kvHeads;
        }

        Path folder() throws IOException {
            return this == DENSE ? DemoEngine.folder() : moeFolder();
        }

        /** Keys and values of 16 tokens. */
        long blockBytes(int elementBytes) {
            return 2L * kvHeads * 64 * 16 * elementBytes;
        }

        Engine open(EngineOptions options) throws IOException {
            return Engine.open(folder(), options);
        }

        List<Golden> goldens() throws IOException {
            return DemoEngine.goldens(folder());
        }
    }

    private DemoEngine() {}

    static Path folder() throws IOException {
        Path folder = Path.of(System.getProperty("java.io.tmpdir"), "cortado-engine-test-demo");
        return DemoModel.unpack(folder);
    }

    /** Of the model that drafts for it. */
    static Path draftFolder() throws IOException {
        Path folder = Path.of(System.getProperty("java.io.tmpdir"), "cortado-engine-test-draft");
        return DemoModel.unpackDraft(folder);
    }

    /** Of the head that drafts for it. */
    static Path headFolder() throws IOException {
        Path folder = Path.of(System.getProperty("java.io.tmpdir"), "cortado-engine-test-eagle3");
        return DemoModel.unpackEagle3(folder);
    }

    static EngineOptions options() {
        return EngineOptions.defaults().threads(2).activations(EngineOptions.Activations.F32);
    }

    static Engine open(EngineOptions options) throws IOException {
        return Engine.open(folder(), options);
    }

    /** With the executor wrapped. */
    static Engine open(EngineOptions options, UnaryOperator<Executor> wrap) throws IOException {
        return CortadoEngineProvider.open(folder(), options, _ -> {}, wrap);
    }

    /** The model with experts. */
    static Path moeFolder() throws IOException {
        Path folder = Path.of(System.getProperty("java.io.tmpdir"), "cortado-engine-test-moe");
        return DemoModel.unpackMoe(folder);
    }

    static List<Golden> goldens() throws IOException {
        return goldens(folder());
    }

    static List<Golden> goldens(Path folder) throws IOException {
        JsonNode root =
                JsonMapper.shared().readTree(Files.readString(folder.resolve("golden.json")));
        List<Golden> goldens = new ArrayList<>();
        for (JsonNode prompt : root.get("prompts")) {
            goldens.add(
                    new Golden(
                            prompt.get("ids").valueStream().mapToInt(JsonNode::asInt).toArray(),
                            prompt.get("greedy").valueStream().map(JsonNode::asInt).toList(),
                            prompt.get("text").asString()));
        }
        return goldens;
    }

    static Answers ask(Engine engine, int[] prompt, SamplingParams params)
            throws InterruptedException {
        return Answers.read(engine.generate(new GenerationRequest(Prompt.tokens(prompt), params)));
    }

    /** Waits for the loop to have told what it holds. */
    static int blocksUsedInTheEnd(Engine engine) throws InterruptedException {
        for (int i = 0; i < 200 && engine.stats().blocksUsed() > 0; i++) {
            Thread.sleep(10);
        }
        return engine.stats().blocksUsed();
    }
}
