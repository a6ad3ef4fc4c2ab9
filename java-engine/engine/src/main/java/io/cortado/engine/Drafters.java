package io.cortado.engine;

import io.cortado.api.EngineException;
import io.cortado.api.EngineOptions;
import io.cortado.api.Speculation;
import io.cortado.device.Device;
import io.cortado.device.Placement;
import io.cortado.model.Activations;
import io.cortado.model.CausalLm;
import io.cortado.model.DraftHead;
import io.cortado.model.Eagle3Config;
import io.cortado.model.Eagle3Head;
import io.cortado.model.FolderCheck;
import io.cortado.model.KvType;
import io.cortado.model.ModelConfig;
import io.cortado.model.ModelFolder;
import io.cortado.model.MtpHead;
import io.cortado.model.WeightPlan;
import io.cortado.model.WorkspaceBytes;
import io.cortado.text.Tokenizer;
import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * Finds, plans and loads what drafts on the device: a smaller model, or a head on the target, of
 * its own files or another's.
 */
sealed interface Drafters {
    /**
     * What the options ask for; null where nothing on the device drafts.
     *
     * @throws EngineException if it cannot draft for this target
     */
    static @Nullable Drafters of(EngineOptions options, Path targetFolder, ModelConfig target) {
        Speculation how = options.speculation();
        return switch (how.method()) {
            case OFF, NGRAM, SUFFIX -> null;
            case DRAFT_MODEL -> model(folder(how), options, targetFolder, target);
            case EAGLE3 -> new Eagle3(folder(how), Eagle3Config.read(folder(how), target));
            case MTP -> ownLayer(targetFolder, target);
        };
    }

    private static Path folder(Speculation how) {
        return ModelFolder.locate(Path.of(how.model()), "", System::getenv);
    }

    private static Drafters ownLayer(Path targetFolder, ModelConfig target) {
        if (target.numDraftLayers() == 0) {
            throw EngineException.invalid(
                    "speculative-config",
                    "the speculative method mtp needs a model with a layer that predicts further"
                            + " tokens: num_nextn_predict_layers=0");
        }
        return new Mtp(targetFolder, target);
    }

    private static Drafters model(
            Path folder, EngineOptions options, Path targetFolder, ModelConfig target) {
        if (!Files.isRegularFile(folder)) {
            FolderCheck.require(folder, !options.dummyWeights());
        }
        ModelConfig config = ModelConfig.read(folder);
        Tokenizer ofDraft = Texts.open(folder).tokenizer();
        Tokenizer ofTarget = Texts.open(targetFolder).tokenizer();
        IdMap ids = null;
        if (ofDraft == null || ofTarget == null) {
            requireSame("vocab_size", config.vocabSize(), target.vocabSize());
        } else {
            ids = IdMap.of(ofDraft, ofTarget);
        }
        if (ids != null && ids.shared() == 0) {
            throw EngineException.invalid(
                    "speculative-config",
                    "the draft model must have tokens of the model's vocabulary: shared=0");
        }
        requireSame(
                "tokens at which the angles change",
                config.otherAnglesAbove(),
                target.otherAnglesAbove());
        return new Model(folder, config, ids);
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

    /** Of the inputs of so many passes. */
    private static long inputBytes(
            EngineOptions options, MemoryPlan target, int passes, boolean isHead) {
        return WorkspaceBytes.ofDraftInputs(
                Limits.tables(options),
                options.maxNumBatchedTokens(),
                target.blocksPerSeq(),
                passes,
                isHead);
    }

    private static long headInputBytes(EngineOptions options, MemoryPlan target) {
        int passes = HeadDrafter.STEPS + options.speculation().tokens();
        return inputBytes(options, target, passes, true);
    }

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

    /**
     * A smaller model.
     *
     * @param ids null: they are the target's
     */
    record Model(Path folder, ModelConfig config, @Nullable IdMap ids) implements Drafters {
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
            Activations activations = MemoryPlan.activations(options);
            KvType kvType = MemoryPlan.kvType(options);
            int seqs = Limits.tables(options);
            int counted = WorkspaceBytes.STEPS_UNDER_WAY; // their inputs are counted already
            int passes = Math.max(counted, options.speculation().tokens()) - counted;
            return target.with(
                    weights.bytes(),
                    WorkspaceBytes.of(
                                    Placement.on(device),
                                    config,
                                    activations,
                                    kvType,
                                    seqs,
                                    options.maxNumBatchedTokens(),
                                    target.blocksPerSeq(),
                                    seqs,
                                    options.deterministic(),
                                    1)
                            + inputBytes(options, target, passes, false),
                    config.kvBytesPerBlock(activations, kvType));
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
                        limits.maxTables(),
                        limits.maxNumBatchedTokens(),
                        blocksPerSeq,
                        limits.maxTables(),
                        options.deterministic());
                Drafter drafter =
                        new DraftModel(
                                device,
                                model,
                                limits,
                                numBlocks,
                                blocksPerSeq,
                                vocabSize,
                                ids,
                                options.speculation().tokens(),
                                shape(options));
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
    record Eagle3(Path folder, Eagle3Config config) implements Drafters {
        @Override
        public MemoryPlan plan(
                Device device, EngineOptions options, int maxModelLen, MemoryPlan target) {
            int seqs = Limits.tables(options);
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
                                    options.deterministic())
                            + headInputBytes(options, target),
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
            return drafter(device, head, options, limits, numBlocks, blocksPerSeq);
        }
    }

    /** The target's own layer that predicts a further token. */
    record Mtp(Path folder, ModelConfig target) implements Drafters {
        @Override
        public MemoryPlan plan(
                Device device, EngineOptions options, int maxModelLen, MemoryPlan ofTarget) {
            int seqs = Limits.tables(options);
            Activations activations = MemoryPlan.activations(options);
            KvType kvType = MemoryPlan.kvType(options);
            return ofTarget.with(
                    MtpHead.weightBytes(
                            device, folder, target, activations, options.dummyWeights()),
                    MtpHead.workspaceBytes(
                                    device,
                                    target,
                                    activations,
                                    kvType,
                                    seqs,
                                    options.maxNumBatchedTokens(),
                                    ofTarget.blocksPerSeq(),
                                    seqs,
                                    options.deterministic())
                            + headInputBytes(options, ofTarget),
                    MtpHead.kvBytesPerBlock(target, activations, kvType));
        }

        @Override
        public void prepare(CausalLm model) {
            model.keepStates(MtpHead.layerIds(target));
        }

        @Override
        public Drafter load(
                Device device,
                CausalLm model,
                EngineOptions options,
                Limits limits,
                int numBlocks,
                int blocksPerSeq,
                int vocabSize) {
            MtpHead head = MtpHead.load(device, folder, model, options.dummyWeights());
            return drafter(device, head, options, limits, numBlocks, blocksPerSeq);
        }
    }

    /** Null: chains alone. */
    private static @Nullable BeamShape shape(EngineOptions options) {
        Speculation how = options.speculation();
        return how.hasTrees() ? BeamShape.of(how.shape(), how.tokens()) : null;
    }

    private static Drafter drafter(
            Device device,
            DraftHead head,
            EngineOptions options,
            Limits limits,
            int numBlocks,
            int blocksPerSeq) {
        boolean made = false;
        try {
            head.allocate(limits.maxTables());
            Drafter drafter =
                    new HeadDrafter(
                            device,
                            head,
                            limits,
                            numBlocks,
                            blocksPerSeq,
                            options.speculation().tokens(),
                            shape(options));
            made = true;
            return drafter;
        } finally {
            if (!made) {
                head.close();
            }
        }
    }
}
