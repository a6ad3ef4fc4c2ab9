package io.cortado.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.device.Curve;
import io.cortado.device.Device;
import io.cortado.device.Placement;
import io.cortado.device.Rate;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class StepCostTest {
    @TempDir Path folder;

    private final Set<String> asked = new HashSet<>();

    /** Rates that rise with the size. */
    private Curve rate(Rate rate) {
        asked.add(rate.name());
        return switch (rate) {
            case Rate.Peak _ -> Curve.constant(1e9);
            case Rate.Overhead _, Rate.Turnaround _ -> Curve.constant(1e-6);
            case Rate.HostCopy _ ->
                    new Curve(new double[] {1, 1e6}, new double[] {1e-5, 1e-5 + 1e-4});
            case Rate.Prefill _ -> Curve.constant(1e-8);
            case Rate.Linear _ -> curve(1e-10);
            case Rate.Rows _, Rate.Draw _ -> curve(1e-9);
            case Rate.Decode decode -> curve(1e-7 * (1 + decode.numSeqs() / 2.0));
        };
    }

    private static Curve curve(double atOne) {
        return new Curve(new double[] {1, 1000}, new double[] {atOne, 200 * atOne});
    }

    private StepCost cost(String more) throws IOException {
        Files.writeString(
                folder.resolve("config.json"),
                "{\"model_type\":\"mistral\",\"hidden_size\":64,\"num_hidden_layers\":2,"
                        + "\"num_attention_heads\":4,\"num_key_value_heads\":2,\"head_dim\":32,"
                        + "\"vocab_size\":300,\"intermediate_size\":96,"
                        + "\"max_position_embeddings\":4096"
                        + more
                        + "}");
        ModelConfig config = ModelConfig.read(folder);
        try (Device device = Device.open("cpu", 1, "auto")) {
            WeightPlan plan =
                    WeightPlan.read(Placement.on(device), folder, config, Activations.BF16, true);
            return new StepCost(config, plan, Activations.BF16, KvType.AUTO, this::rate, null, 0);
        }
    }

    private static double decode(StepCost cost, int numSeqs, int keys) {
        cost.begin(numSeqs, numSeqs);
        for (int i = 0; i < numSeqs; i++) {
            cost.sequence(1, keys);
        }
        return cost.seconds();
    }

    private static double prefill(StepCost cost, int tokens, int keys) {
        cost.begin(tokens, 1);
        cost.sequence(tokens, keys);
        return cost.seconds();
    }

    @Test
    void costsMoreForMoreOfAnything() throws IOException {
        StepCost cost = cost("");
        double last = 0;
        for (int numSeqs : new int[] {1, 2, 3, 4, 8, 16, 17, 64, 500}) {
            double seconds = decode(cost, numSeqs, 100);
            assertTrue(seconds > last, "sequences: " + numSeqs);
            last = seconds;
        }
        last = 0;
        for (int keys : new int[] {1, 2, 17, 1000, 4096}) {
            double seconds = decode(cost, 3, keys);
            assertTrue(seconds > last, "keys: " + keys);
            last = seconds;
        }
        last = 0;
        for (int tokens : new int[] {2, 3, 16, 17, 512, 2048}) {
            double seconds = prefill(cost, tokens, tokens);
            assertTrue(seconds > last, "tokens: " + tokens);
            assertTrue(prefill(cost, tokens, 2 * tokens) > seconds, "past of " + tokens);
            last = seconds;
        }
    }

    @Test
    void isTheSumOfItsOperatorsAndNotBelowItsFloorsKind() throws IOException {
        StepCost cost = cost("");
        decode(cost, 5, 77);
        double sum = 0;
        for (StepCost.Operator operator : StepCost.Operator.values()) {
            assertTrue(cost.seconds(operator) > 0, operator.toString());
            sum += cost.seconds(operator);
        }
        assertEquals(sum, cost.seconds(), 1e-12);
        cost.begin(5, 0);
        cost.sequence(5, 5);
        assertEquals(0, cost.seconds(StepCost.Operator.HEAD));
        assertEquals(0, cost.seconds(StepCost.Operator.SAMPLING));
        // 2 * (64 * 256 + 128 * 64 + 3 * 64 * 96) weights at 2 operations, 5 tokens; pairs 15.
        double flops = 2.0 * 5 * 2 * (64 * 256 + 64 * 128 + 3 * 64 * 96) + 4 * 2 * 15 * 128;
        assertEquals(flops / 1e9, cost.floorSeconds(), 1e-9);
        assertTrue(asked.contains("linear/bf16/bf16"), asked::toString);
        assertTrue(asked.contains("decode/4x2x32/bf16/bf16/16"), asked::toString);
    }

    private StepCost ofExperts(boolean areApart, double hotShare) throws IOException {
        Files.writeString(
                folder.resolve("config.json"),
                "{\"model_type\":\"mixtral\",\"hidden_size\":64,\"num_hidden_layers\":2,"
                        + "\"num_attention_heads\":4,\"num_key_value_heads\":2,\"head_dim\":32,"
                        + "\"vocab_size\":300,\"intermediate_size\":96,\"num_local_experts\":8,"
                        + "\"num_experts_per_tok\":2,\"max_position_embeddings\":4096}");
        ModelConfig config = ModelConfig.read(folder);
        try (Device device = Device.open("cpu", 1, "auto")) {
            WeightPlan plan =
                    WeightPlan.read(Placement.on(device), folder, config, Activations.BF16, true);
            return new StepCost(
                    config,
                    plan,
                    Activations.BF16,
                    KvType.AUTO,
                    this::rate,
                    areApart ? this::rate : null,
                    hotShare);
        }
    }

    @Test
    void countsTheWayToTheExpertsDeviceAndBack() throws IOException {
        int tokens = 16;
        double waits = 2e-6;
        double toHost = rate(new Rate.HostCopy()).at(tokens * 64 * 2);
        double fromHost = rate(new Rate.HostCopy()).at(tokens * 64 * 4);
        double together = decode(ofExperts(false, 0), tokens, 10);
        double apart = decode(ofExperts(true, 0), tokens, 10);
        assertEquals(together + 2 * (waits + toHost + fromHost), apart, 1e-12);
        assertEquals(ofExperts(false, 0).floorSeconds(), ofExperts(true, 0).floorSeconds(), 1e-12);
        // Hot experts are computed meanwhile.
        assertTrue(decode(ofExperts(true, 0.5), tokens, 10) < apart);
    }

    @Test
    void seesNoMoreThanTheWindow() throws IOException {
        StepCost windowed = cost(",\"sliding_window\":64");
        assertEquals(decode(windowed, 2, 64), decode(windowed, 2, 4000), 1e-12);
        assertTrue(decode(windowed, 2, 63) < decode(windowed, 2, 64));
        assertTrue(prefill(windowed, 256, 256) < prefill(cost(""), 256, 256));
    }

    @Test
    void countsPairsAsALoopDoes() {
        for (int tokens : new int[] {1, 2, 7, 16}) {
            for (int keys : new int[] {16, 17, 40}) {
                for (int window : new int[] {0, 1, 5, 16, 17, 100}) {
                    long pairs = 0;
                    for (int row = 0; row < tokens; row++) {
                        int seen = keys - tokens + 1 + row;
                        pairs += window == 0 ? seen : Math.min(seen, window);
                    }
                    assertEquals(
                            pairs,
                            StepCost.pairs(tokens, keys, window),
                            1e-9,
                            tokens + " of " + keys + " window " + window);
                }
            }
        }
    }
}
