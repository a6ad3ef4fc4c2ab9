package io.cortado.model;

import io.cortado.device.Buffer;
import io.cortado.device.DType;
import io.cortado.device.Device;
import io.cortado.device.Placement;
import io.cortado.device.ResourceStack;
import io.cortado.device.Staging;
import io.cortado.device.Stream;
import io.cortado.gang.Collectives;
import io.cortado.gang.GangException;
import io.cortado.moe.ExpertLink;
import io.cortado.moe.ExpertLoads;
import io.cortado.moe.ExpertStep;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * A decoder-only language model: weights, KV cache and the step that turns a ragged batch into
 * logits. One thread drives it. Close it after its last step has run, and before its device.
 */
public final class CausalLm implements AutoCloseable {
    private final Placement placement;
    private final Device device;
    private final ModelConfig config;
    private final DecoderShape shape;
    private final DType dtype;
    private final DType kvDtype;
    private final DecoderWeights weights;
    private final ResourceStack owned;
    private final @Nullable ExpertLink link;
    private List<Integer> keptLayerIds = List.of();
    private @Nullable Collectives ranks;
    private @Nullable LayerStates kept;
    private @Nullable LayerStates keptOfSecond;
    private @Nullable DecoderState state;
    private @Nullable DecoderStep step;

    private CausalLm(
            Placement placement,
            ModelConfig config,
            DType dtype,
            DType kvDtype,
            DecoderWeights weights,
            ResourceStack owned,
            @Nullable ExpertLink link) {
        this.placement = placement;
        this.link = link;
        device = placement.device();
        this.config = config;
        this.shape = config.shape();
        this.dtype = dtype;
        this.kvDtype = kvDtype;
        this.weights = weights;
        this.owned = owned;
    }

    /**
     * Packs the weights of a folder for a device; the files are closed again before this returns.
     *
     * @param dummyWeights random weights of the configuration's shape instead
     */
    public static CausalLm load(
            Device device,
            Path folder,
            ModelConfig config,
            Activations activations,
            KvType kvType,
            boolean dummyWeights) {
        Placement placement = Placement.on(device);
        return load(placement, folder, config, activations, kvType, dummyWeights, null);
    }

    /**
     * The same with the experts where the placement says.
     *
     * @param link to the ranks that have them, if the placement says that none is here; closed by
     *     none
     */
    public static CausalLm load(
            Placement placement,
            Path folder,
            ModelConfig config,
            Activations activations,
            KvType kvType,
            boolean dummyWeights,
            @Nullable ExpertLink link) {
        if (placement.holdsExperts() == (link != null)) {
            throw new IllegalArgumentException("experts are either here or behind a link");
        }
        Device device = placement.device();
        ResourceStack owned = new ResourceStack();
        boolean loaded = false;
        DType dense = activations.dtype();
        try (Staging staging = new Staging(device);
                TensorSource source =
                        TensorSource.open(device, folder, config, dense, dummyWeights)) {
            requireMemory(device, config, WeightPlan.of(placement, source, config.shape(), dense));
            DecoderWeights weights =
                    new WeightLoader(placement, staging, source, config.shape(), dense, owned)
                            .load();
            loaded = true;
            return new CausalLm(
                    placement, config, dense, kvType.dtype(activations), weights, owned, link);
        } finally {
            if (!loaded) {
                owned.close();
            }
        }
    }

    private static void requireMemory(Device device, ModelConfig config, WeightPlan plan) {
        long total = device.info().totalMemoryBytes();
        long bytes = plan.bytes() - plan.onExpertDevice();
        if (bytes > total) {
            throw ModelException.unsupported(
                    "the model needs at least %d bytes for its %d weights, the device has %d"
                            .formatted(bytes, config.numParameters(), total));
        }
    }

    /**
     * Has every step keep the residual stream of its tokens before some layers, for a draft head;
     * to be said before {@link #allocate}.
     *
     * @param layerIds the number of layers: after the last
     */
    public void keepStates(List<Integer> layerIds) {
        if (state != null) {
            throw new IllegalStateException("keepStates comes before allocate");
        }
        LayerStates.check(shape, dtype, layerIds);
        keptLayerIds = List.copyOf(layerIds);
    }

    /**
     * Has every step of a part of a model be computed with the other ranks, which make the same
     * steps in the same order; to be said before {@link #allocate}, and the collectives outlive
     * this.
     *
     * @param with of the rank and size of the configuration's {@link Shard}
     */
    public void join(Collectives with) {
        Shard shard = shape.shard();
        if (state != null || with.rank() != shard.rank() || with.size() != shard.size()) {
            throw new IllegalStateException(
                    "join comes before allocate, with rank %d of %d: rank=%d size=%d"
                            .formatted(shard.rank(), shard.size(), with.rank(), with.size()));
        }
        ranks = with;
    }

    /**
     * Makes the KV cache and everything else that a step computes in.
     *
     * @param numBlocks blocks of 16 tokens in the cache
     * @param maxNumSeqs sequences of a step
     * @param maxNumBatchedTokens tokens of a step
     * @param maxBlocksPerSeq columns of the block table
     * @param maxLogitRows rows of logits of a step
     * @param isDeterministic a row's bits do not depend on its batch; else attention may share its
     *     work out by the batch at hand
     */
    public void allocate(
            int numBlocks,
            int maxNumSeqs,
            int maxNumBatchedTokens,
            int maxBlocksPerSeq,
            int maxLogitRows,
            boolean isDeterministic) {
        if (state != null) {
            throw new IllegalStateException("allocate may be called once");
        }
        BatchLimits limits =
                new BatchLimits(
                        numBlocks, maxNumSeqs, maxNumBatchedTokens, maxBlocksPerSeq, maxLogitRows);
        DecoderState built =
                new DecoderState(
                        placement,
                        shape,
                        config.maxPositions(),
                        dtype,
                        kvDtype,
                        limits,
                        isDeterministic,
                        weights.experts(),
                        link,
                        ranks);
        owned.push(built::close);
        state = built;
        if (!keptLayerIds.isEmpty()) {
            kept = new LayerStates(device, shape, dtype, keptLayerIds, maxNumBatchedTokens);
            owned.push(kept::close);
            if (built.second != null) {
                int most = built.second.limits.maxNumBatchedTokens();
                keptOfSecond = new LayerStates(device, shape, dtype, keptLayerIds, most);
                owned.push(keptOfSecond::close);
            }
        }
        step = new DecoderStep(shape, dtype, weights, built, kept, keptOfSecond);
    }

    /** How often experts were chosen since {@link #allocate}; null: the model has none. */
    public @Nullable ExpertLoads expertLoads() {
        ExpertStep experts = state().experts;
        return experts == null ? null : experts.loads();
    }

    /** The numbers of the layers that have experts. */
    public List<Integer> expertLayers() {
        return IntStream.range(0, shape.numLayers())
                .filter(i -> shape.layers().get(i).hasExperts())
                .boxed()
                .toList();
    }

    /** False where the host or another rank takes part in a step, which a graph cannot hold. */
    public boolean isCapturable() {
        return placement.expertDevice() == null
                && placement.holdsExperts()
                && shape.shard().isWhole();
    }

    /** Why other ranks that this model needs are lost; null: they are not. Any thread. */
    public @Nullable GangException failure() {
        Collectives with = ranks;
        return link != null ? link.failure() : with == null ? null : with.failure();
    }

    /** Enqueues: there is no step here; steps of other ranks that this one is needed for run. */
    public void idle(Stream stream) {
        ExpertStep experts = state().experts;
        if (experts != null) {
            experts.idle(stream);
        }
    }

    /** Where a step is described; the caller closes it. */
    public BatchInputs createInputs() {
        return new BatchInputs(device, state().limits, state().second == null ? 1 : 2);
    }

    /**
     * The blocks of the cache, for copies, with a second tier of so many in host memory; the caller
     * closes it.
     */
    public KvTiers createTiers(int hostBlocks) {
        return tiersOf(caches(), hostBlocks);
    }

    /**
     * The same, the keys and values of a draft head on this model included: its layer is part of
     * every block.
     */
    public KvTiers createTiers(int hostBlocks, DraftHead head) {
        List<Buffer> blocks = caches();
        blocks.addAll(head.caches());
        return tiersOf(blocks, hostBlocks);
    }

    /** The same, the keys and values of a draft model in blocks of the same numbers included. */
    public KvTiers createTiers(int hostBlocks, CausalLm draft) {
        List<Buffer> blocks = caches();
        blocks.addAll(draft.caches());
        return tiersOf(blocks, hostBlocks);
    }

    private KvTiers tiersOf(List<Buffer> blocks, int hostBlocks) {
        return new KvTiers(device, List.copyOf(blocks), state().limits.numBlocks(), hostBlocks);
    }

    private List<Buffer> caches() {
        List<Buffer> caches = new ArrayList<>(state().kCaches);
        caches.addAll(state().vCaches);
        return caches;
    }

    /** What pools a step's hidden states; the caller closes it. */
    public Pooler createPooler() {
        return new Pooler(device, state().limits.maxNumSeqs(), shape.hiddenSize());
    }

    /**
     * float32 [maxLogitRows][vocabSize]: row i belongs to logitRows[i] of the last step. On the
     * first rank only, and where {@link RowCandidates} says so only its candidates, among minus
     * infinity.
     */
    public Buffer logits() {
        return state().logits;
    }

    /**
     * Candidates that a row of logits may have instead of coming whole from each rank; 0: all rows
     * come whole, or the model is on one rank.
     */
    public int mostCandidates() {
        RankStep with = state().ranks;
        return with == null ? 0 : with.logits().mostCandidates();
    }

    /**
     * int64[maxLogitRows], on the first of several ranks: what all logits of a row weigh of which
     * only candidates are there, if it was asked for; else 0.
     */
    public @Nullable Buffer logitMasses() {
        RankStep with = state().ranks;
        return with == null ? null : with.logits().masses();
    }

    /** float32[maxLogitRows]: the largest logit of a row that {@link #logitMasses} has. */
    public @Nullable Buffer largestLogits() {
        RankStep with = state().ranks;
        return with == null ? null : with.logits().largest();
    }

    /** What logits have come from other ranks. Any thread. */
    public LogitCounts logitCounts() {
        RankStep with = state().ranks;
        return with == null ? LogitCounts.NONE : with.logits().counts();
    }

    /**
     * What {@link #keepStates} asked for, of the last step: [maxNumBatchedTokens][layer
     * ids][hidden] in the activations' type.
     */
    public Buffer keptStates() {
        return layerStates().all();
    }

    LayerStates layerStates() {
        if (kept == null) {
            throw new IllegalStateException("call keepStates, then allocate first");
        }
        return kept;
    }

    public ModelConfig config() {
        return config;
    }

    /** Bytes of one block of 16 tokens, keys and values of all layers. */
    public long kvBytesPerBlock() {
        return shape.kvBytesPerBlock(kvDtype);
    }

    /** Added to the positions of long sequences, where their angles are others. */
    public int firstLongPosition() {
        return state().positions;
    }

    /** What the weights occupy: {@link WeightPlan#bytes} of the same model. */
    public long weightBytes() {
        return weights.bytes();
    }

    /** What {@link #allocate} has made beside the KV cache. */
    long workspaceBytes() {
        return state().workspaceBytes() + bytes(kept) + bytes(keptOfSecond);
    }

    private static long bytes(@Nullable LayerStates states) {
        return states == null ? 0 : states.all().bytes();
    }

    public long numParameters() {
        return shape.numParameters();
    }

    /**
     * Enqueues a step on what was uploaded; nothing has run when this returns.
     *
     * @param maxQLen no sequence has more tokens in this step
     */
    public void forward(
            BatchInputs inputs,
            int numTokens,
            int numSeqs,
            int numLogitRows,
            int maxQLen,
            Stream stream) {
        step().forward(inputs, numTokens, numSeqs, numLogitRows, maxQLen, stream);
    }

    /**
     * Enqueues, after {@link #forward} of the same step, what was written to the pooler: sums of
     * hidden states after the final norm.
     */
    public void pool(Pooler pooler, int numTokens, Stream stream) {
        DecoderState s = state();
        pooler.upload(stream);
        if (pooler.hasSegments()) {
            step().finalNorm(numTokens, stream);
            pooler.sum(s.sums, s.tokens.normed, numTokens, dtype, stream);
        }
        pooler.download(s.sums, stream);
    }

    DType dtype() {
        return dtype;
    }

    DType kvDtype() {
        return kvDtype;
    }

    DecoderWeights weights() {
        return weights;
    }

    DecoderState state() {
        return allocated(state);
    }

    private DecoderStep step() {
        return allocated(step);
    }

    private static <T> T allocated(@Nullable T made) {
        if (made == null) {
            throw new IllegalStateException("call allocate first");
        }
        return made;
    }

    @Override
    public void close() {
        owned.close();
    }
}
