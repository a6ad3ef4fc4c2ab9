package io.cortado.model;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.demo.DemoModel;
import io.cortado.device.Device;
import io.cortado.device.Staging;
import io.cortado.device.Stream;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class LayerStatesTest {
    private static final int[] IDS = {3316, 283, 198, 1403, 258};
    private static final int HIDDEN = 256;
    private static final int VOCABULARY = 3320;
    private static final int NUM_LAYERS = 6;

    private static Path demo() throws IOException {
        return DemoModel.unpack(Eagle3Bed.folder().resolve("demo"));
    }

    /** Logits of all tokens, and the states where there are any. */
    private record Run(float[] logits, float[] states) {}

    private static Run run(Activations activations, List<Integer> layerIds) throws IOException {
        ModelConfig config = ModelConfig.read(demo());
        try (Device device = Device.open("cpu", 1, "auto");
                CausalLm lm =
                        CausalLm.load(device, demo(), config, activations, KvType.AUTO, false);
                Stream stream = device.createStream();
                Staging staging = new Staging(device)) {
            if (!layerIds.isEmpty()) {
                lm.keepStates(layerIds);
            }
            lm.allocate(2, 1, 8, 2, 8, true);
            try (BatchInputs in = lm.createInputs()) {
                for (int i = 0; i < IDS.length; i++) {
                    in.ids().setAtIndex(JAVA_INT, i, IDS[i]);
                    in.positions().setAtIndex(JAVA_INT, i, i);
                    in.slotMapping().setAtIndex(JAVA_LONG, i, 16 + i);
                    in.logitRows().setAtIndex(JAVA_INT, i, i);
                }
                in.blockTable().setAtIndex(JAVA_INT, 0, 1);
                in.cuSeqlensQ().setAtIndex(JAVA_INT, 1, IDS.length);
                in.seqlensKv().setAtIndex(JAVA_INT, 0, IDS.length);
                in.upload(1, stream);
                lm.forward(in, IDS.length, 1, IDS.length, IDS.length, stream);
                stream.synchronize();
            }
            long rowBytes = 4L * HIDDEN * layerIds.size();
            float[] logits =
                    staging.read(lm.logits(), 4L * IDS.length * VOCABULARY).toArray(JAVA_FLOAT);
            float[] states =
                    layerIds.isEmpty() || activations != Activations.F32
                            ? new float[0]
                            : staging.read(lm.keptStates(), IDS.length * rowBytes)
                                    .toArray(JAVA_FLOAT);
            return new Run(logits, states);
        }
    }

    @ParameterizedTest
    @EnumSource(Activations.class)
    void keepingThemChangesNoBitOfTheLogits(Activations activations) throws IOException {
        float[] logits = run(activations, List.of()).logits;
        assertArrayEquals(logits, run(activations, List.of(1, 3, 5)).logits);
        assertArrayEquals(logits, run(activations, List.of(NUM_LAYERS, 0)).logits);
    }

    @Test
    void theFirstIsTheEmbeddingAndTheLastGivesTheLogits() throws IOException {
        Run run = run(Activations.F32, List.of(NUM_LAYERS, 0));
        try (Checkpoint checkpoint = Checkpoint.open(demo())) {
            Tensor embedding = checkpoint.take("model.embed_tokens.weight", VOCABULARY, HIDDEN);
            Tensor norm = checkpoint.take("model.norm.weight", HIDDEN);
            for (int token = 0; token < IDS.length; token++) {
                double squares = 0;
                for (int i = 0; i < HIDDEN; i++) {
                    float first = run.states[(2 * token + 1) * HIDDEN + i];
                    assertEquals(embedding.element((long) IDS[token] * HIDDEN + i), first);
                    squares += Math.pow(run.states[2 * token * HIDDEN + i], 2);
                }
                double scale = 1 / Math.sqrt(squares / HIDDEN + 1e-6);
                for (int id = 0; id < VOCABULARY; id += 97) {
                    double logit = 0;
                    for (int i = 0; i < HIDDEN; i++) {
                        double state = run.states[2 * token * HIDDEN + i];
                        double weight = embedding.element((long) id * HIDDEN + i);
                        logit += state * scale * norm.element(i) * weight;
                    }
                    assertEquals(logit, run.logits[token * VOCABULARY + id], 1e-3);
                }
            }
        }
    }

    @Test
    void refusesLayersThatAreNotThereAndLateOrders() throws IOException {
        ModelConfig config = ModelConfig.read(demo());
        try (Device device = Device.open("cpu", 1, "auto");
                CausalLm lm =
                        CausalLm.load(
                                device, demo(), config, Activations.F32, KvType.AUTO, false)) {
            for (List<Integer> ids :
                    List.of(List.<Integer>of(), List.of(-1), List.of(7), List.of(2, 2))) {
                var e = assertThrows(ModelException.class, () -> lm.keepStates(ids));
                assertTrue(String.valueOf(e.getMessage()).contains("[0, 6]"), e::toString);
            }
            lm.allocate(2, 1, 8, 2, 8, true);
            assertThrows(IllegalStateException.class, lm::keptStates);
            assertThrows(IllegalStateException.class, () -> lm.keepStates(List.of(1)));
        }
    }
}
