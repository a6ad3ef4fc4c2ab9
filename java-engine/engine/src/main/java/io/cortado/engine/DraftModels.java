package io.cortado.engine;

import io.cortado.api.EngineException;
import io.cortado.api.EngineOptions;
import io.cortado.api.Speculation;
import io.cortado.device.Device;
import io.cortado.model.CausalLm;
import io.cortado.model.FolderCheck;
import io.cortado.model.ModelConfig;
import io.cortado.model.ModelFolder;
import io.cortado.model.WeightPlan;
import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/** Finds, plans and loads the model that drafts. */
final class DraftModels {
    private DraftModels() {}

    /**
     * Its folder; null where no model drafts.
     *
     * @throws EngineException if it cannot draft for this target
     */
    static @Nullable Path locate(EngineOptions options, ModelConfig target) {
        Speculation how = options.speculation();
        if (how.method() != Speculation.Method.DRAFT_MODEL) {
            return null;
        }
        Path folder = ModelFolder.locate(Path.of(how.model()), "", System::getenv);
        if (!Files.isRegularFile(folder)) {
            FolderCheck.require(folder, !options.dummyWeights());
        }
        ModelConfig config = ModelConfig.read(folder);
        if (config.vocabSize() != target.vocabSize()) {
            throw EngineException.invalid(
                    "speculative-config",
                    "the draft model must have the model's vocabulary: vocab_size=%d, the model's %d"
                            .formatted(config.vocabSize(), target.vocabSize()));
        }
        if (config.otherAnglesAbove() != target.otherAnglesAbove()) {
            throw EngineException.invalid(
                    "speculative-config",
                    "the draft model must change its angles where the model does: %d, the model's %d"
                            .formatted(config.otherAnglesAbove(), target.otherAnglesAbove()));
        }
        return folder;
    }

    /** What target and draft model need together. */
    static MemoryPlan plan(
            Device device, Path folder, EngineOptions options, int maxModelLen, MemoryPlan target) {
        ModelConfig config = ModelConfig.read(folder);
        WeightPlan weights =
                WeightPlan.read(
                        device,
                        folder,
                        config,
                        MemoryPlan.activations(options),
                        options.dummyWeights());
        return target.with(MemoryPlan.of(device, config, weights, options, maxModelLen));
    }

    static DraftModel load(
            Device device,
            Path folder,
            EngineOptions options,
            Limits limits,
            int numBlocks,
            int blocksPerSeq,
            int vocabSize) {
        CausalLm model =
                CausalLm.load(
                        device,
                        folder,
                        ModelConfig.read(folder),
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
            DraftModel drafter = new DraftModel(device, model, limits, blocksPerSeq, vocabSize);
            made = true;
            return drafter;
        } finally {
            if (!made) {
                model.close();
            }
        }
    }
}
