package io.cortado.model;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;

import io.cortado.device.Device;
import io.cortado.device.Staging;
import io.cortado.device.Stream;
import io.cortado.gang.Collectives;
import io.cortado.gang.GangException;
import io.cortado.gang.HostCollectives;
import io.cortado.gang.InProcessGang;
import io.cortado.gang.LateTransport;
import io.cortado.gang.Transport;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** The logits of all tokens of some prompts, computed by one rank or by several, a thread each. */
final class RankLogits {
    private static final int[] LENGTHS = {1, 7, 33, 150};
    private static final long DEADLINE_NANOS = TimeUnit.SECONDS.toNanos(60);
    private static final int BLOCKS_PER_SEQ = 16;

    private RankLogits() {}

    static int numTokens() {
        return 1 + 7 + 33 + 150;
    }

    static float[] whole(Path model, Activations activations, boolean isDummy) {
        ModelConfig config = ModelConfig.read(model);
        return run(model, config, activations, isDummy, null);
    }

    /**
     * @param seed of how late ranks come
     */
    static float[] of(Path model, int size, Activations activations, boolean isDummy, long seed)
            throws Exception {
        ModelConfig config = ModelConfig.read(model);
        Transport[] ranks = InProcessGang.create(size);
        List<Future<float[]>> all = new ArrayList<>();
        try (ExecutorService threads = Executors.newFixedThreadPool(size)) {
            for (int rank = 0; rank < size; rank++) {
                Transport late = new LateTransport(ranks[rank], seed);
                ModelConfig part = config.shard(new Shard(rank, size));
                all.add(
                        threads.submit(() -> {
                            try (Collectives with = new HostCollectives(late, DEADLINE_NANOS)) {
                                float[] logits = run(model, part, activations, isDummy, with);
                                with.gather(new long[size], new long[1]);
                                return logits;
                            }
                        }));
            }
        }
        for (Future<float[]> one : all) {
            one.get();
        }
        return all.getFirst().get();
    }

    private static float[] run(
            Path model,
            ModelConfig config,
            Activations activations,
            boolean isDummy,
            @Nullable Collectives ranks) {
        int rows = numTokens();
        try (Device device = Device.open("cpu", 1, "auto");
                CausalLm lm =
                        CausalLm.load(device, model, config, activations, KvType.AUTO, isDummy);
                Stream stream = device.createStream()) {
            if (ranks != null) {
                lm.join(ranks);
            }
            int blocks = LENGTHS.length * BLOCKS_PER_SEQ;
            lm.allocate(blocks, LENGTHS.length, rows, BLOCKS_PER_SEQ, rows, true);
            try (BatchInputs in = lm.createInputs();
                    Staging staging = new Staging(device)) {
                TokenRows.fill(in, LENGTHS, BLOCKS_PER_SEQ, config.vocabSize());
                in.upload(LENGTHS.length, stream);
                lm.forward(in, rows, LENGTHS.length, rows, 150, stream);
                stream.synchronize();
                GangException failure = ranks == null ? null : ranks.failure();
                if (failure != null) {
                    throw failure;
                }
                return config.shard().isFirst()
                        ? staging.read(lm.logits(), 4L * rows * config.vocabSize())
                                .toArray(JAVA_FLOAT)
                        : new float[0];
            }
        }
    }

    static double largestDifference(float[] one, float[] other) {
        double largest = 0;
        for (int i = 0; i < one.length; i++) {
            double difference = Math.abs(one[i] - other[i]);
            largest = difference <= largest ? largest : difference; // a NaN stays
        }
        return largest;
    }
}
