package io.cortado.bench.conformance;

import io.cortado.api.EngineOptions;
import io.cortado.device.Device;
import io.cortado.device.ResourceStack;
import io.cortado.device.Staging;
import io.cortado.device.Stream;
import io.cortado.model.Activations;
import io.cortado.model.BatchInputs;
import io.cortado.model.CausalLm;
import io.cortado.model.KvType;
import io.cortado.model.ModelConfig;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Objects;
import java.util.Random;
import org.jspecify.annotations.Nullable;

/**
 * Runs a model without an engine: the caller says how many tokens of which sequence a step takes.
 */
public final class LmDriver implements AutoCloseable {
    private static final int BLOCK_SIZE = 16;
    private static final int MAX_SEQS = 8;
    private static final int MAX_TOKENS = 1024;

    private final Stream stream;
    private final CausalLm lm;
    private final int maxBlocksPerSeq;
    private final ResourceStack owned = new ResourceStack();
    private final Staging staging;
    private @Nullable BatchInputs inputs;

    /** Tokens, and their logits as far as they are computed; its blocks lie in shuffled order. */
    public static final class Sequence {
        private final int[] blocks;
        private int[] ids;
        private float[][] logits = new float[0][];

        private final int otherAnglesAbove;

        private Sequence(int[] blocks, int[] ids, int otherAnglesAbove) {
            this.blocks = blocks;
            this.ids = ids;
            this.otherAnglesAbove = otherAnglesAbove;
        }

        /** Where that makes the sequence a long one, all its tokens wait again. */
        public void append(int id) {
            boolean wasLong = isLong();
            ids = Arrays.copyOf(ids, ids.length + 1);
            ids[ids.length - 1] = id;
            if (isLong() != wasLong) {
                logits = new float[0][];
            }
        }

        private boolean isLong() {
            return ids.length > otherAnglesAbove;
        }

        /** One row a computed token. */
        public float[][] logits() {
            return logits;
        }

        public int waiting() {
            return ids.length - logits.length;
        }
    }

    private LmDriver(Device device, Stream stream, CausalLm lm) {
        this.stream = stream;
        this.lm = lm;
        staging = new Staging(device);
        owned.push(device::close);
        owned.push(lm::close);
        owned.push(stream::close);
        owned.push(staging::close);
        maxBlocksPerSeq =
                Math.ceilDiv(Math.min(MAX_TOKENS, lm.config().maxPositions()), BLOCK_SIZE);
    }

    /** Opens the device of the options and loads a checked configuration's weights. */
    public static LmDriver open(Path folder, ModelConfig config, EngineOptions options) {
        Device device = Device.open(options.device(), options.threads(), options.isa());
        @Nullable CausalLm lm = null;
        @Nullable LmDriver driver = null;
        try {
            lm =
                    CausalLm.load(
                            device,
                            folder,
                            config,
                            Activations.valueOf(options.activations().name()),
                            KvType.valueOf(options.kvCacheDtype().name()),
                            options.dummyWeights());
            driver = new LmDriver(device, device.createStream(), lm);
            driver.allocate();
            return driver;
        } catch (RuntimeException e) {
            if (driver != null) {
                driver.close();
            } else {
                if (lm != null) {
                    lm.close();
                }
                device.close();
            }
            throw e;
        }
    }

    private void allocate() {
        lm.allocate(
                MAX_SEQS * maxBlocksPerSeq,
                MAX_SEQS,
                MAX_TOKENS,
                maxBlocksPerSeq,
                MAX_TOKENS,
                true);
        BatchInputs allocated = lm.createInputs();
        owned.push(allocated::close);
        inputs = allocated;
    }

    /** A sequence in one of the eight slots, its blocks drawn by the seed. */
    public Sequence sequence(int slot, int[] ids, long seed) {
        int[] all = new int[maxBlocksPerSeq];
        for (int i = 0; i < all.length; i++) {
            // Slots interleave, so that neighbours in the cache belong to others.
            all[i] = i * MAX_SEQS + slot;
        }
        Random random = new Random(seed);
        for (int i = all.length - 1; i > 0; i--) {
            int j = random.nextInt(i + 1);
            int block = all[i];
            all[i] = all[j];
            all[j] = block;
        }
        return new Sequence(all, ids.clone(), lm.config().otherAnglesAbove());
    }

    /** One step: the next counts[i] tokens of sequences[i]; keeps the logits of each. */
    public void step(Sequence[] sequences, int[] counts) {
        BatchInputs in = Objects.requireNonNull(inputs);
        int token = 0;
        int maxQLen = 0;
        set(in.cuSeqlensQ(), 0, 0);
        for (int s = 0; s < sequences.length; s++) {
            Sequence sequence = sequences[s];
            int from = sequence.logits.length;
            int firstPosition = sequence.isLong() ? lm.firstLongPosition() : 0;
            for (int position = from; position < from + counts[s]; position++, token++) {
                int block = sequence.blocks[position / BLOCK_SIZE];
                long slot = (long) block * BLOCK_SIZE + position % BLOCK_SIZE;
                set(in.ids(), token, sequence.ids[position]);
                set(in.positions(), token, firstPosition + position);
                set(in.logitRows(), token, token);
                in.slotMapping().setAtIndex(ValueLayout.JAVA_LONG, token, slot);
            }
            for (int b = 0; b < maxBlocksPerSeq; b++) {
                set(in.blockTable(), s * maxBlocksPerSeq + b, sequence.blocks[b]);
            }
            set(in.cuSeqlensQ(), s + 1, token);
            set(in.seqlensKv(), s, from + counts[s]);
            maxQLen = Math.max(maxQLen, counts[s]);
        }
        in.upload(sequences.length, stream);
        lm.forward(in, token, sequences.length, token, maxQLen, stream);
        stream.synchronize();
        keepLogits(sequences, counts, token);
    }

    private void keepLogits(Sequence[] sequences, int[] counts, int rows) {
        long rowBytes = lm.config().vocabSize() * 4L;
        MemorySegment logits = staging.read(lm.logits(), rows * rowBytes);
        long row = 0;
        for (int s = 0; s < sequences.length; s++) {
            int from = sequences[s].logits.length;
            sequences[s].logits = Arrays.copyOf(sequences[s].logits, from + counts[s]);
            for (int i = 0; i < counts[s]; i++, row++) {
                sequences[s].logits[from + i] =
                        logits.asSlice(row * rowBytes, rowBytes).toArray(ValueLayout.JAVA_FLOAT);
            }
        }
    }

    /** Computes all that waits, so many tokens a step. */
    public void run(Sequence sequence, int chunk) {
        while (sequence.waiting() > 0) {
            int count = Math.min(chunk, sequence.waiting());
            step(new Sequence[] {sequence}, new int[] {count});
        }
    }

    /** Bytes of the KV cache for one token. */
    public long kvBytesPerToken() {
        return lm.kvBytesPerBlock() / BLOCK_SIZE;
    }

    /** The id of the largest logit after the last token; the lower id wins. */
    public static int argmax(float[] logits) {
        int best = 0;
        for (int i = 1; i < logits.length; i++) {
            if (logits[i] > logits[best]) {
                best = i;
            }
        }
        return best;
    }

    /** Continues greedily, a token a step. */
    public int[] greedy(Sequence sequence, int count) {
        int[] generated = new int[count];
        for (int i = 0; i < count; i++) {
            run(sequence, MAX_TOKENS);
            generated[i] = argmax(sequence.logits[sequence.logits.length - 1]);
            sequence.append(generated[i]);
        }
        return generated;
    }

    private static void set(MemorySegment segment, long index, int value) {
        segment.setAtIndex(ValueLayout.JAVA_INT, index, value);
    }

    @Override
    public void close() {
        owned.close();
    }
}
