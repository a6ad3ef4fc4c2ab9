package io.cortado.engine;

import io.cortado.api.EngineException;
import io.cortado.api.EngineOptions;
import io.cortado.api.Speculation;
import io.cortado.device.Device;
import io.cortado.device.Placement;
import io.cortado.model.CausalLm;
import io.cortado.model.Eagle3Config;
import io.cortado.model.Eagle3Head;
import io.cortado.model.FolderCheck;
import io.cortado.model.ModelConfig;
import io.cortado.model.ModelFolder;
import io.cortado.model.WeightPlan;
import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/** Finds, plans and loads what drafts on the device: a smaller model, or a head on the target. */
sealed interface Drafters {
    /**
     * What the options ask for; null where nothing on the device drafts.
     *
     * @throws EngineException if it cannot draft for this target
     */
    static @Nullable Drafters of(EngineOptions options, ModelConfig target) {
        Speculation how = options.speculation();
        boolean isHead = how.method() == Speculation.Method.EAGLE3;
        if (!isHead && how.method() != Speculation.Method.DRAFT_MODEL) {
            return null;
        }
        Path folder = ModelFolder.locate(Path.of(how.model()), "", System::getenv);
        if (isHead) {
            return new Head(folder, Eagle3Config.read(folder, target));
        }
        if (!Files.isRegularFile(folder)) {
            FolderCheck.require(folder, !options.dummyWeights());
        }
        ModelConfig config = ModelConfig.read(folder);
        requireSame("vocab_size", config.vocabSize(), target.vocabSize());
        requireSame(
                "tokens at which the angles change",
                config.otherAnglesAbove(),
                target.otherAnglesAbove());
        return new Model(folder, config);
    }

    private static void requireSame(String what, int value, int ofTarget) {
        if (value != ofTarget) {
            throw EngineException.invalid(
                    "speculative-config",
                    "the draft model must have the model's %s, %d: %d"
                            .formatted(what, ofTarget, value));
        }
    }

    /** What it and the target need together. */
    MemoryPlan plan(Device device, EngineOptions options, int maxModelLen, MemoryPlan target);

    /** To be called before the target allocates. */
    void prepare(CausalLm target);

    /** Loads it, once the target has allocated. */
    Drafter load(
            Device device,
            CausalLm target,
            EngineOptions options,
            Limits limits,
            int numBlocks,
            int blocksPerSeq,
            int vocabSize);

    /** A smaller model. */
    record Model(Path folder, ModelConfig config) implements Drafters {
        @Override
        public MemoryPlan plan(
                Device device, EngineOptions options, int maxModelLen, MemoryPlan target) {
            WeightPlan weights =
                    WeightPlan.read(
                            Placement.on(device),
                            folder,
                            config,
                            MemoryPlan.activations(options),
                            options.dummyWeights());
            return target.with(
                    MemoryPlan.of(Placement.on(device), config, weights, options, maxModelLen));
        }

        @Override
        public void prepare(CausalLm target) {}

        @Override
        public Drafter load(
                Device device,
                CausalLm target,
                EngineOptions options,
                Limits limits,
                int numBlocks,
                int blocksPerSeq,
                int vocabSize) {
            CausalLm model =
                    CausalLm.load(
                            device,
                            folder,
                            config,
                            MemoryPlan.activations(options),
                            MemoryPlan.kvType(options),
                            options.dummyWeights());
            boolean made = false;
            try {
                model.allocate(
                        numBlocks,
                        limits.maxNumSeqs(),
                        limits.maxNumBatchedTokens(),
                        blocksPerSeq,
                        limits.maxNumSeqs(),
                        options.deterministic());
                Drafter drafter = new DraftModel(device, model, limits, blocksPerSeq, vocabSize);
                made = true;
                return drafter;
            } finally {
                if (!made) {
                    model.close();
                }
            }
        }
    }

    /** A head in EAGLE-3's form. */
    record Head(Path folder, Eagle3Config config) implements Drafters {
        @Override
        public MemoryPlan plan(
                Device device, EngineOptions options, int maxModelLen, MemoryPlan target) {
            int seqs = Math.min(options.maxNumSeqs(), options.maxNumBatchedTokens());
            return target.with(
                    Eagle3Head.weightBytes(device, folder, config, MemoryPlan.activations(options)),
                    Eagle3Head.workspaceBytes(
                            device,
                            config,
                            MemoryPlan.activations(options),
                            MemoryPlan.kvType(options),
                            seqs,
                            options.maxNumBatchedTokens(),
                            target.blocksPerSeq(),
                            seqs,
                            options.deterministic()),
                    config.kvBytesPerBlock(
                            MemoryPlan.activations(options), MemoryPlan.kvType(options)));
        }

        @Override
        public void prepare(CausalLm target) {
            target.keepStates(config.layerIds());
        }

        @Override
        public Drafter load(
                Device device,
                CausalLm target,
                EngineOptions options,
                Limits limits,
                int numBlocks,
                int blocksPerSeq,
                int vocabSize) {
            Eagle3Head head = Eagle3Head.load(device, folder, config, target);
            boolean made = false;
            try {
                head.allocate(limits.maxNumSeqs());
                Drafter drafter = new Eagle3Drafter(device, head, limits, blocksPerSeq);
                made = true;
                return drafter;
            } finally {
                if (!made) {
                    head.close();
                }
            }
        }
    }
}
