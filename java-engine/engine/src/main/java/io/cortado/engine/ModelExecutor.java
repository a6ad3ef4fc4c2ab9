package io.cortado.engine;

import static java.lang.System.Logger.Level.INFO;

import io.cortado.api.EngineException;
import io.cortado.api.ExpertLoad;
import io.cortado.api.LogitTraffic;
import io.cortado.api.RankTimes;
import io.cortado.device.Device;
import io.cortado.device.Event;
import io.cortado.device.ResourceStack;
import io.cortado.device.Stream;
import io.cortado.gang.GangException;
import io.cortado.kv.KvCache;
import io.cortado.kv.Transfer;
import io.cortado.model.CausalLm;
import io.cortado.model.KvFile;
import io.cortado.model.KvPages;
import io.cortado.model.KvTiers;
import io.cortado.model.LogitCounts;
import io.cortado.moe.ExpertLink;
import io.cortado.moe.ExpertLoads;
import io.cortado.moe.ExpertPlacement;
import io.cortado.sampling.SampleState;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** Runs batches on a device, on one stream, in two places that take turns. */
final class ModelExecutor implements Executor {
    private static final System.Logger LOG = System.getLogger(ModelExecutor.class.getName());
    private static final long FOR_A_WHILE_MS = 600_000;

    private final ResourceStack owned = new ResourceStack();
    private final CausalLm model;
    private final @Nullable ExpertLink link;
    private final @Nullable ExpertGang gang;
    private final Stream stream;
    private final long bytesPerBlock;
    private final int hostBlocks;
    private final int diskBlocks;
    private final @Nullable FileMover mover;
    private final @Nullable KvPages pages;
    private final @Nullable Drafter drafter;
    private final @Nullable LoadReader loads;

    /** Moves experts between ranks; null: they stay. */
    private final @Nullable ExpertMoves balance;

    /** Tells ranks with other parts of the model; null: it is whole. */
    private final @Nullable StepSender sender;

    /**
     * How often other ranks are to hear of this one when it has nothing to do; 0: there are none.
     */
    private final long tickNanos;

    private long tickedNanos;
    private StepSlot next;
    private StepSlot last;

    /**
     * Owns the devices and the model from here on; not if this throws.
     *
     * @param vocabSize ids that may be drawn; the model's logits may be wider
     * @param numBlocks blocks of the cache
     * @param tiersWanted used as far as moving is faster than computing
     * @param drafter what drafts; null: nothing on the device does
     * @param ranks that have other parts of the model, owned too; null: it is whole
     */
    ModelExecutor(
            OpenDevices devices,
            CausalLm model,
            @Nullable Drafter drafter,
            Limits limits,
            int vocabSize,
            int maxBlocksPerSeq,
            int numBlocks,
            TierSizes tiersWanted,
            @Nullable RankGroup ranks) {
        Device device = devices.device();
        if (!model.isCapturable() && !device.hostReachesMemory()) {
            LOG.log(INFO, "no graphs: they cannot hold what the host does within a step");
        }
        this.model = model;
        link = devices.link();
        ExpertLoads counted = model.expertLoads();
        loads = counted == null ? null : new LoadReader(counted, model.expertLayers());
        // On the CPU a padded row is computed like any other.
        GraphSizes sizes = new GraphSizes(limits.maxNumSeqs(), !device.hostReachesMemory());
        bytesPerBlock = model.kvBytesPerBlock() + (drafter == null ? 0 : drafter.kvBytesPerBlock());
        this.drafter = drafter;
        ResourceStack made = new ResourceStack();
        boolean built = false;
        try {
            TierRates rates =
                    tiersWanted.hostBlocks() == 0 || tiersWanted.rule() == TierRates.Rule.ALWAYS
                            ? null
                            : measure(device, model, limits, numBlocks, tiersWanted.hostBlocks());
            hostBlocks = rates == null || rates.movingPays() ? tiersWanted.hostBlocks() : 0;
            KvTiers tiers =
                    drafter == null
                            ? model.createTiers(hostBlocks)
                            : drafter.createTiers(model, hostBlocks);
            made.push(tiers::close);
            pages = tiers.pages();
            if (pages != null) {
                made.push(pages::close);
            }
            mover = mover(tiers, tiersWanted, rates);
            if (mover != null) {
                made.push(mover::close);
            }
            diskBlocks = mover == null ? 0 : tiersWanted.diskBlocks();
            SampleState state = new SampleState(device, limits.maxStates(), vocabSize);
            made.push(state::close);
            sender =
                    ranks == null
                            ? null
                            : ranks.createSender(device, limits, maxBlocksPerSeq, numBlocks);
            if (sender != null) {
                made.push(sender::close);
            }
            next =
                    new StepSlot(
                            device,
                            model,
                            tiers,
                            limits,
                            sizes,
                            maxBlocksPerSeq,
                            state,
                            vocabSize,
                            drafter,
                            sender);
            made.push(next::close);
            last =
                    new StepSlot(
                            device,
                            model,
                            tiers,
                            limits,
                            sizes,
                            maxBlocksPerSeq,
                            state,
                            vocabSize,
                            drafter,
                            sender);
            made.push(last::close);
            // Made last, closed first: it waits for the steps under way.
            stream = device.createStream();
            made.push(stream::close);
            if (sender != null) {
                made.push(() -> sender.stop(stream));
            }
            built = true;
        } finally {
            if (!built) {
                made.close();
            }
        }
        gang = devices.gang();
        balance = gang == null ? null : gang.balance();
        tickNanos = gang == null ? 0 : gang.tickNanos();
        tickedNanos = System.nanoTime() - tickNanos;
        owned.push(devices::close);
        owned.push(model::close);
        if (drafter != null) {
            owned.push(drafter::close);
        }
        if (ranks != null) {
            owned.push(ranks::close);
        }
        owned.push(made::close);
    }

    private static TierRates measure(
            Device device, CausalLm model, Limits limits, int numBlocks, int hostBlocks) {
        try (KvTiers tiers = model.createTiers(hostBlocks);
                Event done = device.createEvent();
                Stream stream = device.createStream()) {
            TierRates rates =
                    TierRates.measure(model, tiers, stream, done, limits, numBlocks, hostBlocks);
            LOG.log(
                    INFO,
                    "KV blocks in host memory {0}: to move a block out and in takes {1} us,"
                            + " to compute it again {2} us",
                    rates.movingPays() ? "are used" : "would not pay and are not used",
                    rates.moveNanosPerBlock() / 1000.0,
                    rates.computeNanosPerBlock() / 1000.0);
            return rates;
        }
    }

    /** Null: no disk tier was asked for, or it is faster to compute again what is on it. */
    private @Nullable FileMover mover(KvTiers tiers, TierSizes wanted, @Nullable TierRates rates) {
        Path folder = wanted.diskFolder();
        if (folder == null || hostBlocks == 0) {
            return null;
        }
        KvFile file = KvFile.create(folder, wanted.diskBlocks(), tiers);
        boolean isUsed = false;
        try {
            isUsed = rates == null || readingPays(file, wanted, rates);
            return isUsed ? new FileMover(file) : null;
        } catch (IOException e) {
            throw new IllegalArgumentException(
                    "kv-offload-dir must be on a disk that works: kv-offload-dir=" + folder, e);
        } finally {
            if (!isUsed) {
                file.close();
            }
        }
    }

    private static boolean readingPays(KvFile file, TierSizes wanted, TierRates rates)
            throws IOException {
        int blocks = Math.min(wanted.hostBlocks(), wanted.diskBlocks());
        long readNanos = TierRates.measureRead(file, blocks);
        boolean pays = rates.readingPays(readNanos);
        LOG.log(
                INFO,
                "KV blocks on disk {0}: to read a block takes {1} us beside the move",
                pays ? "are used" : "would not pay and are not used",
                readNanos / 1000.0);
        return pays;
    }

    /** Blocks of the tier in host memory. */
    int hostBlocks() {
        return hostBlocks;
    }

    /** Blocks of the tier on disk. */
    int diskBlocks() {
        return diskBlocks;
    }

    @Override
    public void start(Transfer transfer) {
        if (mover != null) {
            mover.start(transfer);
        }
    }

    @Override
    public @Nullable Ended ended() {
        return mover == null ? null : mover.poll();
    }

    @Override
    public void onEnded(Runnable wake) {
        if (mover != null) {
            mover.onEnded(wake);
        }
    }

    @Override
    public void submit(Batch batch, KvCache cache) {
        if (pages != null) {
            pages.used(cache.pool().everTaken());
        }
        StepSlot slot = next;
        if (loads != null) {
            loads.beforeStep(stream);
        }
        if (balance != null && loads != null) {
            balance.turn(loads::snapshot);
        }
        slot.submit(batch, cache, last.tokens(), stream);
        ticked();
        next = last;
        last = slot;
    }

    @Override
    public void await(Batch batch) {
        StepSlot slot = last.holds(batch) ? last : next;
        while (!slot.await(FOR_A_WHILE_MS)) {
            LOG.log(INFO, "a step still runs"); // how long it may is the watchdog's to say
        }
        requireGang();
        slot.read(batch);
        if (loads != null) {
            loads.afterStep();
        }
    }

    /** Other ranks that a step needs are there still. */
    private void requireGang() {
        GangException why = model.failure();
        if (why != null) {
            throw new EngineException(
                    EngineException.Code.DEVICE_LOST,
                    "the gang of ranks has failed: " + why.getMessage(),
                    null,
                    why);
        }
    }

    @Override
    public void idle() {
        if (loads != null) {
            loads.settle(stream);
        }
        if (sender != null) {
            sender.idle(stream);
            requireGang();
        }
        if (tickNanos > 0 && System.nanoTime() - tickedNanos >= tickNanos) {
            model.idle(stream);
            stream.synchronize();
            ticked();
            requireGang();
        }
    }

    /** Has experts move, once they are where they are wanted. Any thread. */
    void propose(List<ExpertPlacement> placements) {
        link().propose(placements);
    }

    /** How many placements of experts have been in force. */
    long numPlacements() {
        return link().number();
    }

    private ExpertLink link() {
        return Objects.requireNonNull(link, "all experts are here");
    }

    private void ticked() {
        tickedNanos = System.nanoTime();
    }

    @Override
    public long idleNanos() {
        return sender == null ? tickNanos : sender.idleNanos();
    }

    @Override
    public List<ExpertLoad> expertLoads() {
        return loads == null ? List.of() : loads.snapshot();
    }

    @Override
    public List<RankTimes> rankTimes() {
        return gang == null ? List.of() : gang.times();
    }

    @Override
    public LogitTraffic logitTraffic() {
        LogitCounts so = model.logitCounts();
        return new LogitTraffic(so.steps(), so.rows(), so.candidateRows(), so.bytes());
    }

    @Override
    public void draft(Sequence[] sequences, int count) {
        if (drafter == null) {
            throw new IllegalStateException("there is no draft model");
        }
        drafter.draft(sequences, count, stream);
    }

    @Override
    public long bytesPerBlock() {
        return bytesPerBlock;
    }

    @Override
    public void close() {
        owned.close();
    }
}
