package io.cortado.model;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.cortado.demo.DemoModel;
import io.cortado.device.Buffer;
import io.cortado.device.Device;
import io.cortado.device.ResourceStack;
import io.cortado.device.Staging;
import io.cortado.device.Stream;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** The demo model and its EAGLE-3 head on a device, a row at a time under the test's control. */
final class Eagle3Bed implements AutoCloseable {
    static final int MAX_SEQS = 4;
    static final int MAX_TOKENS = 512;
    static final int BLOCKS_PER_SEQ = 20;
    static final int MAX_LOGIT_ROWS = 64;
    static final int MAX_PASSES = 8;

    private static final int BLOCK = 16;

    /** The id of a row before it is fed: no vocabulary has it. */
    private static final int UNKNOWN = 1 << 30;

    /**
     * Rows of one sequence in a step or pass.
     *
     * @param firstRow where a pass finds the feature of the first of them
     * @param ids of the rows; of a pass: the next tokens
     */
    record Rows(int slot, int position, int[] ids, int firstRow) {}

    final ResourceStack owned = new ResourceStack();
    final Device device;
    final Stream stream;
    final CausalLm target;
    final Eagle3Config config;
    final Eagle3Head head;
    final Staging staging;
    final BatchInputs inputs;
    final DraftTokens drafts;

    static Path folder() {
        return Path.of(System.getProperty("java.io.tmpdir"), "cortado-engine-test-eagle3");
    }

    /** Of golden.json. */
    static List<JsonNode> prompts() throws IOException {
        Path file = DemoModel.unpackEagle3(folder().resolve("eagle3")).resolve("golden.json");
        JsonNode root = JsonMapper.shared().readTree(Files.readString(file));
        return root.path("prompts").valueStream().toList();
    }

    static int[] ints(JsonNode array) {
        return array.valueStream().mapToInt(JsonNode::asInt).toArray();
    }

    /** The ids of a prompt's rows of the head: the token after each. */
    static int[] shifted(int[] ids, int next) {
        int[] shifted = Arrays.copyOfRange(ids, 1, ids.length + 1);
        shifted[ids.length - 1] = next;
        return shifted;
    }

    Eagle3Bed(String deviceName, Activations activations) throws IOException {
        this(deviceName, activations, DemoModel.unpackEagle3(folder().resolve("eagle3")));
    }

    /** With another folder's head. */
    Eagle3Bed(String deviceName, Activations activations, Path eagle3) throws IOException {
        Path demo = DemoModel.unpack(folder().resolve("demo"));
        device = own(Device.open(deviceName, 2, "auto"));
        ModelConfig model = ModelConfig.read(demo);
        config = Eagle3Config.read(eagle3, model);
        target = own(CausalLm.load(device, demo, model, activations, KvType.AUTO, false));
        stream = own(device.createStream());
        staging = own(new Staging(device));
        target.keepStates(config.layerIds());
        int blocks = MAX_SEQS * BLOCKS_PER_SEQ;
        target.allocate(blocks, MAX_SEQS, MAX_TOKENS, BLOCKS_PER_SEQ, MAX_LOGIT_ROWS, true);
        inputs = own(target.createInputs());
        head = own(Eagle3Head.load(device, eagle3, config, target));
        head.allocate(MAX_LOGIT_ROWS);
        drafts = own(head.createDrafts(MAX_PASSES));
    }

    private <T extends AutoCloseable> T own(T resource) {
        owned.push(() -> close(resource));
        return resource;
    }

    private static void close(AutoCloseable resource) {
        try {
            resource.close();
        } catch (Exception e) {
            throw new IllegalStateException(e);
        }
    }

    /** Runs a step of the target with the logits of each sequence's last token. */
    void step(Rows... rows) {
        int tokens = describe(inputs, rows);
        inputs.upload(rows.length, stream);
        target.forward(inputs, tokens, rows.length, rows.length, maxLen(rows), stream);
        stream.synchronize();
    }

    /** Runs a pass of the head with the logits of each sequence's last row. */
    void pass(Eagle3Head.Features features, Rows... rows) {
        try (DraftInputs in = head.createInputs()) {
            int tokens = describe(in, rows);
            in.upload(tokens, rows.length, stream);
            head.forward(in, features, tokens, rows.length, rows.length, maxLen(rows), stream);
            stream.synchronize();
        }
    }

    /**
     * Runs a pass of rows of the target's states and then a chain that the host does not look at
     * until it is through.
     *
     * @return the drafts of each sequence
     */
    List<List<Integer>> chain(int numDrafts, Rows... rows) {
        ResourceStack passes = new ResourceStack();
        try {
            Rows[] next = rows.clone();
            int row = 0;
            for (int pass = 0; pass < numDrafts; pass++) {
                DraftInputs in = head.createInputs();
                passes.push(in::close);
                int tokens = describe(in, next);
                for (int s = 0; pass > 0 && s < rows.length; s++) {
                    in.batch().fedRows().setAtIndex(JAVA_INT, s, s);
                }
                in.upload(tokens, rows.length, stream);
                if (pass > 0) {
                    in.batch().feed(drafts.pass(pass - 1), tokens, stream);
                }
                var features = pass == 0 ? Eagle3Head.Features.TARGET : Eagle3Head.Features.OWN;
                head.forward(in, features, tokens, rows.length, rows.length, maxLen(next), stream);
                head.draft(drafts, pass, rows.length, stream);
                for (int s = 0; s < rows.length; s++) {
                    row = pass == 0 ? row + next[s].ids.length : s + 1;
                    int position = next[s].position + next[s].ids.length;
                    next[s] = new Rows(next[s].slot, position, new int[] {UNKNOWN}, row - 1);
                }
            }
            drafts.download(numDrafts, stream);
            stream.synchronize();
        } finally {
            passes.close();
        }
        return IntStream.range(0, rows.length).mapToObj(row -> drafted(numDrafts, row)).toList();
    }

    private List<Integer> drafted(int passes, int row) {
        return IntStream.range(0, passes).mapToObj(pass -> drafts.token(pass, row)).toList();
    }

    private static int describe(DraftInputs in, Rows... rows) {
        int token = 0;
        for (Rows of : rows) {
            for (int i = 0; i < of.ids.length; i++, token++) {
                in.featureRows().setAtIndex(JAVA_INT, token, of.firstRow + i);
            }
        }
        return describe(in.batch(), rows);
    }

    private static int maxLen(Rows... rows) {
        return Arrays.stream(rows).mapToInt(of -> of.ids.length).max().orElseThrow();
    }

    private static int describe(BatchInputs in, Rows[] rows) {
        int token = 0;
        for (int s = 0; s < rows.length; s++) {
            Rows of = rows[s];
            for (int i = 0; i < of.ids.length; i++, token++) {
                int position = of.position + i;
                in.ids().setAtIndex(JAVA_INT, token, of.ids[i]);
                in.positions().setAtIndex(JAVA_INT, token, position);
                in.fedRows().setAtIndex(JAVA_INT, token, -1);
                long slot = (long) block(of.slot, position / BLOCK) * BLOCK + position % BLOCK;
                in.slotMapping().setAtIndex(JAVA_LONG, token, slot);
            }
            for (int b = 0; b < BLOCKS_PER_SEQ; b++) {
                int at = s * BLOCKS_PER_SEQ + b;
                in.blockTable().setAtIndex(JAVA_INT, at, block(of.slot, b));
            }
            in.cuSeqlensQ().setAtIndex(JAVA_INT, s + 1, token);
            in.seqlensKv().setAtIndex(JAVA_INT, s, of.position + of.ids.length);
            in.logitRows().setAtIndex(JAVA_INT, s, token - 1);
        }
        return token;
    }

    /** Blocks of sequences lie between each other, in falling order. */
    static int block(int slot, int index) {
        return (BLOCKS_PER_SEQ - 1 - index) * MAX_SEQS + slot;
    }

    float[] targetLogits(int row) {
        return row(target.logits(), row, target.config().vocabSize());
    }

    float[] draftLogits(int row) {
        return row(head.logits(), row, head.draftVocabSize());
    }

    private float[] row(Buffer rows, int row, int cols) {
        MemorySegment bytes = staging.read(rows, (row + 1L) * cols * 4);
        return bytes.asSlice((long) row * cols * 4, cols * 4L).toArray(JAVA_FLOAT);
    }

    /** The target's states of one layer, of the step's rows; float32 activations only. */
    float[][] states(int index, int rows) {
        int width = target.config().hiddenSize();
        int stride = width * config.layerIds().size();
        float[] all =
                staging.read(target.keptStates(), (long) rows * stride * 4).toArray(JAVA_FLOAT);
        float[][] states = new float[rows][];
        for (int row = 0; row < rows; row++) {
            int from = row * stride + index * width;
            states[row] = Arrays.copyOfRange(all, from, from + width);
        }
        return states;
    }

    static int argmax(float[] logits) {
        int best = 0;
        for (int i = 1; i < logits.length; i++) {
            best = logits[i] > logits[best] ? i : best;
        }
        return best;
    }

    @Override
    public void close() {
        owned.close();
    }
}
