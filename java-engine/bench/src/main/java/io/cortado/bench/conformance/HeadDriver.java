package io.cortado.bench.conformance;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.cortado.api.EngineOptions;
import io.cortado.device.Buffer;
import io.cortado.device.Device;
import io.cortado.device.ResourceStack;
import io.cortado.device.Staging;
import io.cortado.device.Stream;
import io.cortado.model.Activations;
import io.cortado.model.BatchInputs;
import io.cortado.model.CausalLm;
import io.cortado.model.DraftHead;
import io.cortado.model.DraftInputs;
import io.cortado.model.Eagle3Config;
import io.cortado.model.Eagle3Head;
import io.cortado.model.KvType;
import io.cortado.model.ModelConfig;
import io.cortado.model.MtpHead;
import java.nio.file.Path;
import java.util.List;

/** Runs a target and a head that drafts for it on one sequence, without an engine. */
final class HeadDriver implements AutoCloseable {
    private static final int BLOCK_SIZE = 16;
    private static final int MAX_TOKENS = 1024;
    private static final int MAX_BLOCKS = MAX_TOKENS / BLOCK_SIZE;

    private final ResourceStack owned = new ResourceStack();
    private final Stream stream;
    private final Staging staging;
    private final CausalLm target;
    private final DraftHead head;
    private final List<Integer> layerIds;
    private final BatchInputs inputs;
    private final DraftInputs draftInputs;

    /** What drafts, and what it asks its target for. */
    private interface Kind {
        List<Integer> layerIds(ModelConfig target);

        DraftHead load(Device device, CausalLm target);
    }

    private HeadDriver(Device device, Path targetFolder, Kind kind, EngineOptions options) {
        owned.push(device::close);
        boolean opened = false;
        try {
            ModelConfig model = ModelConfig.read(targetFolder);
            layerIds = kind.layerIds(model);
            target =
                    CausalLm.load(
                            device,
                            targetFolder,
                            model,
                            Activations.valueOf(options.activations().name()),
                            KvType.valueOf(options.kvCacheDtype().name()),
                            false);
            owned.push(target::close);
            stream = device.createStream();
            owned.push(stream::close);
            staging = new Staging(device);
            owned.push(staging::close);
            target.keepStates(layerIds);
            target.allocate(MAX_BLOCKS, 1, MAX_TOKENS, MAX_BLOCKS, MAX_TOKENS, true);
            head = kind.load(device, target);
            owned.push(head::close);
            head.allocate(1);
            inputs = target.createInputs();
            owned.push(inputs::close);
            draftInputs = head.createInputs();
            owned.push(draftInputs::close);
            opened = true;
        } finally {
            if (!opened) {
                owned.close();
            }
        }
    }

    /** With an EAGLE-3 head. */
    static HeadDriver eagle3(Path target, Path folder, EngineOptions options) {
        return open(
                target,
                new Kind() {
                    @Override
                    public List<Integer> layerIds(ModelConfig model) {
                        return Eagle3Config.read(folder, model).layerIds();
                    }

                    @Override
                    public DraftHead load(Device device, CausalLm model) {
                        Eagle3Config config = Eagle3Config.read(folder, model.config());
                        return Eagle3Head.load(device, folder, config, model);
                    }
                },
                options);
    }

    /** With the target's own layer that predicts a further token. */
    static HeadDriver mtp(Path target, EngineOptions options) {
        return open(
                target,
                new Kind() {
                    @Override
                    public List<Integer> layerIds(ModelConfig model) {
                        return MtpHead.layerIds(model);
                    }

                    @Override
                    public DraftHead load(Device device, CausalLm model) {
                        return MtpHead.load(device, target, model, false);
                    }
                },
                options);
    }

    private static HeadDriver open(Path target, Kind kind, EngineOptions options) {
        Device device = Device.open(options.device(), options.threads(), options.isa());
        return new HeadDriver(device, target, kind, options);
    }

    /** Of {@link #states}. */
    List<Integer> layerIds() {
        return layerIds;
    }

    int maxTokens() {
        return MAX_TOKENS;
    }

    /** A step of the target on tokens from this position on; the logits of each. */
    float[][] step(int position, int[] ids) {
        describe(inputs, position, ids);
        for (int i = 0; i < ids.length; i++) {
            inputs.logitRows().setAtIndex(JAVA_INT, i, i);
        }
        inputs.upload(1, stream);
        target.forward(inputs, ids.length, 1, ids.length, ids.length, stream);
        stream.synchronize();
        return rows(target.logits(), ids.length, target.config().vocabSize());
    }

    /** What the target has kept of each of the last step's tokens; of float32 activations. */
    float[][] states(int numTokens) {
        int cols = layerIds.size() * target.config().hiddenSize();
        return rows(target.keptStates(), numTokens, cols);
    }

    /**
     * A pass of the head; the draft logits of the last row.
     *
     * @param position of the first row's feature
     * @param nextIds of each row the token after its position
     * @param firstRow where the first row's feature is
     */
    float[] pass(DraftHead.Features features, int position, int[] nextIds, int firstRow) {
        describe(draftInputs.batch(), position, nextIds);
        for (int i = 0; i < nextIds.length; i++) {
            draftInputs.featureRows().setAtIndex(JAVA_INT, i, firstRow + i);
        }
        draftInputs.batch().logitRows().setAtIndex(JAVA_INT, 0, nextIds.length - 1);
        draftInputs.upload(nextIds.length, 1, stream);
        head.forward(draftInputs, features, nextIds.length, 1, 1, nextIds.length, stream);
        stream.synchronize();
        return rows(head.logits(), 1, head.draftVocabSize())[0];
    }

    int targetId(int draftId) {
        return head.targetId(draftId);
    }

    private static void describe(BatchInputs in, int position, int[] ids) {
        for (int i = 0; i < ids.length; i++) {
            in.ids().setAtIndex(JAVA_INT, i, ids[i]);
            in.positions().setAtIndex(JAVA_INT, i, position + i);
            long block = block((position + i) / BLOCK_SIZE);
            in.slotMapping()
                    .setAtIndex(JAVA_LONG, i, block * BLOCK_SIZE + (position + i) % BLOCK_SIZE);
        }
        for (int b = 0; b < MAX_BLOCKS; b++) {
            in.blockTable().setAtIndex(JAVA_INT, b, block(b));
        }
        in.cuSeqlensQ().setAtIndex(JAVA_INT, 0, 0);
        in.cuSeqlensQ().setAtIndex(JAVA_INT, 1, ids.length);
        in.seqlensKv().setAtIndex(JAVA_INT, 0, position + ids.length);
    }

    /** Blocks are used from the last to the first, so that a wrong table shows. */
    private static int block(int index) {
        return MAX_BLOCKS - 1 - index;
    }

    private float[][] rows(Buffer from, int rows, int cols) {
        float[] all = staging.read(from, 4L * rows * cols).toArray(JAVA_FLOAT);
        float[][] split = new float[rows][cols];
        for (int row = 0; row < rows; row++) {
            System.arraycopy(all, row * cols, split[row], 0, cols);
        }
        return split;
    }

    @Override
    public void close() {
        owned.close();
    }
}
