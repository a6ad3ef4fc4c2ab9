package io.cortado.model;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.cortado.device.Buffer;
import io.cortado.device.DType;
import io.cortado.device.Device;
import io.cortado.device.Placement;
import io.cortado.device.Staging;
import io.cortado.device.Stream;
import io.cortado.engine.Devices;
import io.cortado.gang.InProcessGang;
import io.cortado.gang.Transport;
import io.cortado.moe.ExpertLink;
import io.cortado.moe.ExpertPlacement;
import io.cortado.moe.ExpertRanks;
import io.cortado.moe.MicroBatching;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Steps in two micro-batches, with experts on another rank, against those of a model here. */
class MicroBatchesTest {
    private static final Path GOLDENS =
            Path.of(System.getProperty("cortado.root", "."), "../shared/suites/goldens");
    private static final long LONG = 60_000_000_000L;
    private static final int BLOCKS_PER_SEQ = 4;
    private static final int MOST = 41;

    /** Batches, by tokens of their sequences: of one, of two, cut between and within sequences. */
    private static final int[][] BATCHES = {{1}, {1, 1}, {20}, {1, 1, 39}, {7, 13, 5}, {1, 1, 1}};

    /** Logits and kept states of all tokens of a batch. */
    private record Step(float[] logits, float[] states) {}

    private static List<Integer> kept(ModelConfig config) {
        return List.of(config.numLayers(), 0, 1, config.numLayers() - 1);
    }

    private static Step[] run(
            String name,
            Path model,
            ModelConfig config,
            Activations activations,
            @Nullable ExpertLink link) {
        Step[] steps = new Step[BATCHES.length];
        try (Device device = Device.open(name, 1, "auto");
                CausalLm lm =
                        CausalLm.load(
                                link == null
                                        ? Placement.on(device)
                                        : Placement.withoutExperts(device),
                                model,
                                config,
                                activations,
                                KvType.AUTO,
                                false,
                                link);
                Stream stream = device.createStream();
                Staging staging = new Staging(device)) {
            List<Integer> ids = kept(config);
            lm.keepStates(ids);
            lm.allocate(3 * BLOCKS_PER_SEQ, 3, MOST, BLOCKS_PER_SEQ, MOST, true);
            requireBytes(lm, device, config, activations, ids, link == null ? 1 : 2);
            try (BatchInputs in = lm.createInputs()) {
                for (int i = 0; i < steps.length; i++) {
                    int[] lengths = BATCHES[i];
                    int tokens = TokenRows.fill(in, lengths, BLOCKS_PER_SEQ, config.vocabSize());
                    in.upload(lengths.length, stream);
                    lm.forward(in, tokens, lengths.length, tokens, 39, stream);
                    stream.synchronize();
                    assertNull(lm.failure());
                    long columns = (long) config.shape().hiddenSize() * ids.size();
                    long bytes = tokens * columns * activations.dtype().bytes();
                    steps[i] =
                            new Step(
                                    floats(staging, lm.logits(), 4L * tokens * config.vocabSize()),
                                    floats(staging, lm.keptStates(), bytes));
                }
            }
        }
        return steps;
    }

    private static float[] floats(Staging staging, Buffer from, long bytes) {
        return staging.read(from, bytes).toArray(JAVA_FLOAT);
    }

    private static void requireBytes(
            CausalLm lm,
            Device device,
            ModelConfig config,
            Activations activations,
            List<Integer> ids,
            int microBatches) {
        DType dtype = activations.dtype();
        BatchLimits limits = new BatchLimits(3 * BLOCKS_PER_SEQ, 3, MOST, BLOCKS_PER_SEQ, MOST);
        Placement placement =
                microBatches == 1 ? Placement.on(device) : Placement.withoutExperts(device);
        long states = LayerStates.bytes(config.shape(), dtype, ids, MOST);
        if (microBatches == 2) {
            states += LayerStates.bytes(config.shape(), dtype, ids, MOST / 2);
        }
        assertEquals(
                states
                        + WorkspaceBytes.ofState(
                                placement,
                                config.shape(),
                                config.maxPositions(),
                                dtype,
                                KvType.AUTO.dtype(activations),
                                limits,
                                true,
                                microBatches),
                lm.workspaceBytes());
    }

    /** Shared experts with and without a gate, latent attention behind dense layers, windows. */
    @ParameterizedTest
    @CsvSource({"qwen2-moe, cpu", "deepseek-v3, cpu", "gpt-oss, cpu", "deepseek-v3, simt:0"})
    void giveTheBitsOfAWholeStep(String golden, String name) throws Exception {
        Devices.assumePresent(name);
        Path model = GOLDENS.resolve(golden);
        assumeTrue(Files.isDirectory(model), "there is no " + model);
        ModelConfig config = ModelConfig.read(model);
        // Of the emulated GPU, which is slow, one type says what is to be said of its copies.
        for (Activations activations :
                name.equals("cpu") ? Activations.values() : new Activations[] {Activations.F32}) {
            Step[] one = run(name, model, config, activations, null);
            Step[] two = spread(name, model, config, activations);
            for (int i = 0; i < one.length; i++) {
                assertArrayEquals(one[i].logits, two[i].logits, "logits of batch " + i);
                assertArrayEquals(one[i].states, two[i].states, "states of batch " + i);
            }
        }
    }

    private static Step[] spread(
            String name, Path model, ModelConfig config, Activations activations) throws Exception {
        Transport[] transports = InProcessGang.create(2);
        ExpertRanks ranks = new ExpertRanks(1, 1);
        List<ExpertPlacement> placements = ExpertShard.linear(config, 1);
        CompletableFuture<Void> served = new CompletableFuture<>();
        Thread.ofPlatform()
                .start(() -> {
                    try (ExpertLink link =
                                    new ExpertLink(
                                            transports[1],
                                            ranks,
                                            placements,
                                            MicroBatching.TWO,
                                            LONG,
                                            LONG);
                            Device device = Device.open(name, 1, "auto");
                            ExpertShard shard =
                                    ExpertShard.load(
                                            device,
                                            model,
                                            config,
                                            activations,
                                            false,
                                            placements,
                                            0)) {
                        shard.serve(link);
                        served.complete(null);
                    } catch (RuntimeException | Error e) {
                        served.completeExceptionally(e);
                    }
                });
        try (ExpertLink link =
                new ExpertLink(transports[0], ranks, placements, MicroBatching.TWO, LONG, LONG)) {
            Step[] steps = run(name, model, config, activations, link);
            served.get();
            return steps;
        }
    }
}
