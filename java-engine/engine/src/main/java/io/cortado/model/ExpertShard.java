package io.cortado.model;

import io.cortado.device.Buffer;
import io.cortado.device.DType;
import io.cortado.device.Device;
import io.cortado.device.ExpertId;
import io.cortado.device.ExpertWeights;
import io.cortado.device.Placement;
import io.cortado.device.ResourceStack;
import io.cortado.device.Staging;
import io.cortado.gang.GangException;
import io.cortado.moe.ExpertLink;
import io.cortado.moe.ExpertMatrices;
import io.cortado.moe.ExpertPlacement;
import io.cortado.moe.ExpertShape;
import io.cortado.moe.ExpertTable;
import io.cortado.moe.ExpertWorker;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.LongConsumer;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * The experts of a model that one rank has, and nothing else of it. What another placement wants is
 * read from the model's files beside the steps, on a thread of its own; then tables change between
 * two steps, by a reference.
 */
public final class ExpertShard implements ExpertTable, AutoCloseable {
    private final Device device;
    private final Path folder;
    private final ModelConfig config;
    private final DType dtype;
    private final boolean isDummy;
    private final ResourceStack owned = new ResourceStack();

    /** The model's layers that have experts, and the biases of all of theirs. */
    private final List<Integer> numbers;

    private final List<List<@Nullable Buffer>> biases = new ArrayList<>();

    private Held held = new Held(1, new HashMap<>(), List.of());
    private @Nullable Held next;
    private @Nullable Thread fetcher;
    private @Nullable Thread freer;

    /** What a placement has here. */
    private record Held(
            long number,
            Map<ExpertId, ExpertWeights.Expert> experts,
            List<@Nullable ExpertMatrices> tables) {}

    private ExpertShard(
            Device device, Path folder, ModelConfig config, DType dtype, boolean isDummy) {
        this.device = device;
        this.folder = folder;
        this.config = config;
        this.dtype = dtype;
        this.isDummy = isDummy;
        numbers =
                IntStream.range(0, config.numLayers())
                        .filter(i -> config.shape().layers().get(i).hasExperts())
                        .boxed()
                        .toList();
    }

    /**
     * Packs a rank's experts for its device.
     *
     * @param folder of the model, whose files stay where they are: placements change
     * @param placements of the layers with experts
     * @param expertRank this rank's number among those with experts
     */
    public static ExpertShard load(
            Device device,
            Path folder,
            ModelConfig config,
            Activations activations,
            boolean dummyWeights,
            List<ExpertPlacement> placements,
            int expertRank) {
        ExpertShard shard =
                new ExpertShard(device, folder, config, activations.dtype(), dummyWeights);
        boolean isLoaded = false;
        try {
            shard.held = shard.fetch(1, placements, expertRank, shard.held);
            isLoaded = true;
            return shard;
        } finally {
            if (!isLoaded) {
                shard.close();
            }
        }
    }

    /** The placements that begin: experts in order, in each layer of a model alike. */
    public static List<ExpertPlacement> linear(ModelConfig config, int expertRanks) {
        DecoderShape.Experts experts = Objects.requireNonNull(config.shape().experts());
        ExpertPlacement all = ExpertPlacement.linear(experts.shape().numExperts(), expertRanks);
        return Collections.nCopies(config.shape().numExpertLayers(), all);
    }

    /** Groups of experts, of which a token chooses some before their experts. */
    public static int groups(ModelConfig config) {
        DecoderShape.Experts experts = Objects.requireNonNull(config.shape().experts());
        return experts.shape().routing().groups().count();
    }

    /**
     * Computes what ranks with attention send, until one of them ends.
     *
     * @throws GangException if the gang fails
     */
    public void serve(ExpertLink link) {
        try (ExpertWorker worker = new ExpertWorker(device, link, shapeOfExperts(), dtype, this)) {
            worker.run();
        }
    }

    /** What a placement wants: of what is here already nothing is read again. */
    private Held fetch(long number, List<ExpertPlacement> placements, int expertRank, Held before) {
        DecoderShape shape = config.shape();
        DecoderParts parts = new DecoderParts(shape);
        Map<ExpertId, ExpertWeights.Expert> experts = new HashMap<>();
        List<@Nullable ExpertMatrices> tables = new ArrayList<>();
        List<ExpertWeights.Expert> fetched = new ArrayList<>();
        boolean isWhole = false;
        try (Staging staging = new Staging(device);
                TensorSource source = TensorSource.open(device, folder, config, dtype, isDummy)) {
            source.require(TensorNeeds.of(shape));
            WeightLoader loader =
                    new WeightLoader(Placement.on(device), staging, source, shape, dtype, owned);
            for (int layer = 0; layer < numbers.size(); layer++) {
                int ofModel = numbers.get(layer);
                int[] wanted = placements.get(layer).expertsOf(expertRank);
                for (int expert : wanted) {
                    ExpertId id = new ExpertId(ofModel, expert);
                    ExpertWeights.Expert known = before.experts.get(id);
                    if (known == null) {
                        known = loader.expert(parts, id);
                        fetched.add(known);
                    }
                    experts.put(id, known);
                }
                if (biases.size() <= layer) {
                    biases.add(loader.expertBiases(parts, shapeOfExperts(), ids(layer), staging));
                }
                tables.add(wanted.length == 0 ? null : table(layer, experts));
            }
            isWhole = true;
            return new Held(number, experts, tables);
        } finally {
            if (!isWhole) {
                close(tables);
                fetched.forEach(ExpertWeights.Expert::close);
            }
        }
    }

    private ExpertShape shapeOfExperts() {
        return Objects.requireNonNull(config.shape().experts()).shape();
    }

    private List<ExpertId> ids(int layer) {
        return IntStream.range(0, shapeOfExperts().numExperts())
                .mapToObj(expert -> new ExpertId(numbers.get(layer), expert))
                .toList();
    }

    private ExpertMatrices table(int layer, Map<ExpertId, ExpertWeights.Expert> experts) {
        List<ExpertWeights.@Nullable Expert> all = new ArrayList<>();
        for (ExpertId id : ids(layer)) {
            all.add(experts.get(id));
        }
        List<@Nullable Buffer> ofLayer = biases.get(layer);
        return new ExpertMatrices(
                device.lendExperts(all), ofLayer.get(0), ofLayer.get(1), ofLayer.get(2), null);
    }

    private static void close(List<@Nullable ExpertMatrices> tables) {
        for (ExpertMatrices table : tables) {
            if (table != null) {
                table.weights().close();
            }
        }
    }

    @Override
    public @Nullable ExpertMatrices layer(int layer) {
        return held.tables.get(layer);
    }

    @Override
    public List<ExpertMatrices> layers() {
        return held.tables.stream().filter(Objects::nonNull).toList();
    }

    @Override
    public void prepare(
            long number,
            List<ExpertPlacement> placements,
            int expertRank,
            LongConsumer ready,
            Consumer<Throwable> failed) {
        if (fetcher != null) {
            return;
        }
        Held before = held;
        fetcher =
                Thread.ofPlatform()
                        .name("expert-fetch")
                        .daemon()
                        .start(() -> {
                            try {
                                next = fetch(number, placements, expertRank, before);
                                ready.accept(number);
                            } catch (RuntimeException | Error e) {
                                failed.accept(e);
                            }
                        });
    }

    @Override
    public void enter(long number) {
        await(fetcher);
        fetcher = null;
        Held before = held;
        Held after = Objects.requireNonNull(next);
        if (after.number != number) {
            throw new IllegalStateException(
                    "the placement to come is %d and not %d".formatted(after.number, number));
        }
        held = after;
        next = null;
        await(freer);
        freer = Thread.ofPlatform().name("expert-free").daemon().start(() -> free(before, after));
    }

    private static void free(Held before, Held after) {
        close(before.tables);
        Set<ExpertId> gone = new HashSet<>(before.experts.keySet());
        gone.removeAll(after.experts.keySet());
        for (ExpertId id : gone) {
            Objects.requireNonNull(before.experts.get(id)).close();
        }
    }

    private static void await(@Nullable Thread running) {
        if (running != null) {
            try {
                running.join();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new IllegalStateException("interrupted while experts move", e);
            }
        }
    }

    /** Bytes of the experts that are here. */
    public long bytes() {
        return held.experts.values().stream()
                .mapToLong(e -> e.gate().bytes() + e.up().bytes() + e.down().bytes())
                .sum();
    }

    @Override
    public void close() {
        await(fetcher);
        await(freer);
        Held coming = next;
        if (coming != null) {
            close(coming.tables);
            coming.experts.forEach((id, expert) -> {
                if (!held.experts.containsKey(id)) {
                    expert.close();
                }
            });
        }
        close(held.tables);
        held.experts.values().forEach(ExpertWeights.Expert::close);
        owned.close();
    }
}
