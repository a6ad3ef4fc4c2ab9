package io.cortado.sampling;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import io.cortado.device.Buffer;
import io.cortado.device.DType;
import io.cortado.device.Device;
import io.cortado.device.Kernels;
import io.cortado.device.Mirror;
import io.cortado.device.ResourceStack;
import io.cortado.device.SampleParams;
import io.cortado.device.SampleRow;
import io.cortado.device.Stream;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * Draws a token for each row of logits: the rows' parameters go up in one copy, the results come
 * down in one. Fill with {@link #begin} and {@link #add}, then {@link #enqueue}, and read once the
 * stream has passed it. One thread.
 *
 * <p>What a row needs beside its parameters is added right after it, in this order: {@link #bias},
 * {@link #dry}; {@link #prompt}, {@link #output}. Masks come at any time.
 */
public final class Sampler implements AutoCloseable {
    private static final int FIRST_CAPACITY = 4096;
    private static final long WORD = Integer.BYTES;
    private static final int ROWS = 0;

    // Sections of what comes down; the last two only where a row asks for them.
    private static final int TOKEN = 0;
    private static final int STATUS = 1;
    private static final int LOGPROB = 2;
    private static final int RANK = 3;
    private static final int TOP_IDS = 4;
    private static final int TOP_LOGPROBS = 5;

    private final ResourceStack owned = new ResourceStack();
    private final SampleParams params;
    private final int vocabSize;
    private final int width;
    private final int maxTops;
    private final int maskWords;
    private final Mirror inputs;
    private final Mirror results;
    private final SampleRow[] rows;
    private final Words biasIds;
    private final Words biasValues;
    private final Words history;
    private final Words masks;
    private final @Nullable Buffer workspace;

    /** Of rows that hold only a part of their logits; null: all rows are whole. */
    private @Nullable PartLogprobs partLogprobs;

    private @Nullable SampleState state;
    private int numRows;
    private int numMasks;
    private boolean sharesSlots;

    // Of the last row.
    private int biasBegin;
    private int dryBegin;
    private int promptBegin;
    private int outputBegin;

    /**
     * @param vocabSize ids that may be drawn
     * @param width logits of a row, at least vocabSize
     */
    public Sampler(Device device, int maxRows, int maxTops, int vocabSize, int width) {
        this.vocabSize = vocabSize;
        this.width = width;
        this.maxTops = maxTops;
        maskWords = maskWords(vocabSize);
        params = new SampleParams(device).vocabulary(vocabSize, width).logitsType(DType.F32);
        long words = maxRows * WORD;
        long tops = words * maxTops;
        boolean built = false;
        try {
            inputs = own(new Mirror(device, maxRows * SampleRow.BYTES));
            results = own(new Mirror(device, words, words, words, words, tops, tops));
            biasIds = own(new Words(device, FIRST_CAPACITY));
            biasValues = own(new Words(device, FIRST_CAPACITY));
            history = own(new Words(device, FIRST_CAPACITY));
            masks = own(new Words(device, maskWords));
            workspace = largestWorkspace(device, maxRows);
            rows = new SampleRow[maxRows];
            for (int row = 0; row < maxRows; row++) {
                rows[row] = SampleRow.in(inputs.host(ROWS), row);
            }
            built = true;
        } finally {
            if (!built) {
                owned.close();
            }
        }
    }

    /**
     * Has rows of logits hold only the likeliest, and their log-probabilities count all: to be said
     * before the first {@link #enqueue}, on a device that the host reaches.
     *
     * @param masses int64[maxRows]: {@link io.cortado.device.SampleWeights#mass} of all logits of a
     *     row; 0: it is whole
     * @param largest float32[maxRows]: what the mass counts from
     */
    public void weighRows(Buffer masses, Buffer largest) {
        PartLogprobs made =
                new PartLogprobs(
                        masses,
                        largest,
                        new PartLogprobs.Sections(
                                results.device(TOKEN),
                                results.device(STATUS),
                                results.device(LOGPROB),
                                results.device(TOP_IDS),
                                results.device(TOP_LOGPROBS)),
                        vocabSize,
                        width);
        owned.push(made::close);
        partLogprobs = made;
    }

    private Mirror own(Mirror mirror) {
        owned.push(mirror::close);
        return mirror;
    }

    private Words own(Words words) {
        owned.push(words::close);
        return words;
    }

    /** For all rows with all that they may ask for: recorded graphs keep its address. */
    private @Nullable Buffer largestWorkspace(Device device, int maxRows) {
        params.numRows(maxRows)
                .numBias(1)
                .numHistory(1)
                .masks(1, maskWords)
                .numSlots(1)
                .maxTopLogprobs(maxTops);
        long bytes = device.sampleWorkspaceBytes(params);
        if (bytes == 0) {
            return null;
        }
        Buffer buffer = device.createBuffer(bytes);
        owned.push(buffer::close);
        return buffer;
    }

    /** Words of a row of masks. */
    public static int maskWords(int vocabSize) {
        return Math.ceilDiv(vocabSize, Integer.SIZE);
    }

    /**
     * Starts the next batch of rows.
     *
     * @param stateOfAll that holds the slots that rows name; null: no row has one
     */
    public void begin(@Nullable SampleState stateOfAll) {
        state = stateOfAll;
        numRows = 0;
        numMasks = 0;
        sharesSlots = false;
        biasIds.clear();
        biasValues.clear();
        history.clear();
        masks.clear();
    }

    /**
     * Adds a row with a request's parameters.
     *
     * @return the batch's own, for what differs from step to step
     */
    public SampleRow add(SampleRow params) {
        SampleRow row = rows[numRows];
        params.copyTo(inputs.host(ROWS), numRows);
        numRows++;
        biasBegin = biasIds.size();
        dryBegin = biasBegin;
        promptBegin = history.size();
        outputBegin = promptBegin;
        row.bias(biasBegin, biasBegin).dry(biasBegin, biasBegin);
        row.history(promptBegin, promptBegin, promptBegin);
        return row;
    }

    /** Adds to the logits of ids in the last row; minus infinity bans. */
    public void bias(int[] ids, float[] values) {
        biasIds.add(ids, 0, ids.length);
        biasValues.add(values, 0, ids.length);
        endBias();
    }

    /** Adds to the logit of an id in the last row; minus infinity bans it. */
    public void bias(int id, float value) {
        addBias(id, value);
        endBias();
    }

    private void endBias() {
        dryBegin = biasIds.size();
        last().bias(biasBegin, dryBegin).dry(dryBegin, dryBegin);
    }

    /** What the DRY step adds to the logit of an id in the last row. */
    public void dry(int id, float value) {
        addBias(id, value);
        last().dry(dryBegin, biasIds.size());
    }

    private void addBias(int id, float value) {
        biasIds.add(id);
        biasValues.add(value);
    }

    /** Notes ids in the last row's slot as of its prompt. */
    public void prompt(int[] ids, int from, int count) {
        history.add(ids, from, count);
        outputBegin = history.size();
        last().history(promptBegin, outputBegin, outputBegin);
    }

    /**
     * Counts ids in the last row's slot as drawn; what the sampler itself draws is counted by
     * itself.
     */
    public void output(int[] ids, int from, int count) {
        history.add(ids, from, count);
        last().history(promptBegin, outputBegin, history.size());
    }

    /** The same for one id. */
    public void output(int id) {
        history.add(id);
        last().history(promptBegin, outputBegin, history.size());
    }

    /**
     * The last row shares its slot with others of this batch and changes nothing there; what is
     * noted for it counts for it alone.
     */
    public void assume() {
        last().assume(true);
        sharesSlots = true;
    }

    private SampleRow last() {
        return rows[numRows - 1];
    }

    /**
     * Adds a row of masks: bit {@code id % 32} of word {@code id / 32} is 1 where the id is
     * allowed.
     *
     * @return its number, for {@link SampleRow#masks}
     */
    public int mask(int[] words) {
        masks.add(words, 0, maskWords);
        return numMasks++;
    }

    /**
     * True if nothing but the rows' own parameters varies from a call to the next: a graph may hold
     * it, as long as it is the same state.
     */
    public boolean isPlain() {
        return biasIds.size() == 0 && history.size() == 0 && numMasks == 0;
    }

    /** int32[maxRows] on the device: the tokens of the last {@link #enqueue}. */
    public Buffer tokens() {
        return results.device(TOKEN);
    }

    /**
     * Enqueues the draw, with the copies of what it needs and gives.
     *
     * @param logits float32 [rows][width]
     * @param tops columns of the likeliest tokens: no row asks for more
     */
    public void enqueue(Buffer logits, int tops, Stream stream) {
        inputs.upload(ROWS, numRows * SampleRow.BYTES, stream);
        biasIds.upload(stream);
        biasValues.upload(stream);
        history.upload(stream);
        masks.upload(stream);
        draw(logits, tops, stream);
        if (partLogprobs != null) {
            partLogprobs.enqueue(logits, numRows, tops, stream);
        }
        if (tops > 0) {
            results.download(TOP_LOGPROBS, numRows * tops * WORD, stream);
        } else {
            results.download(RANK, numRows * WORD, stream);
        }
    }

    private void draw(Buffer logits, int tops, Stream stream) {
        SampleState slots = state;
        params.numRows(numRows)
                .numBias(biasIds.size())
                .maxTopLogprobs(tops)
                .numHistory(history.size())
                .masks(numMasks, maskWords)
                .numSlots(slots == null ? 0 : slots.numSlots())
                .sharesSlots(sharesSlots);
        Kernels.sample(
                results.device(TOKEN),
                results.device(LOGPROB),
                results.device(RANK),
                tops > 0 ? results.device(TOP_IDS) : null,
                tops > 0 ? results.device(TOP_LOGPROBS) : null,
                results.device(STATUS),
                slots == null ? null : slots.buffer(),
                logits,
                inputs.device(ROWS),
                biasIds.size() > 0 ? biasIds.device() : null,
                biasIds.size() > 0 ? biasValues.device() : null,
                history.size() > 0 ? history.device() : null,
                numMasks > 0 ? masks.device() : null,
                workspace,
                params,
                stream);
    }

    /** Copies what was drawn for the first rows. */
    public void read(int rows, int[] tokens, float[] logprobs, int[] ranks, int[] statuses) {
        MemorySegment.copy(results.host(TOKEN), JAVA_INT, 0, tokens, 0, rows);
        MemorySegment.copy(results.host(LOGPROB), JAVA_FLOAT, 0, logprobs, 0, rows);
        MemorySegment.copy(results.host(RANK), JAVA_INT, 0, ranks, 0, rows);
        MemorySegment.copy(results.host(STATUS), JAVA_INT, 0, statuses, 0, rows);
    }

    /** Copies the likeliest tokens: {@code tops} of each row, rows {@code maxTops} apart. */
    public void readTops(int rows, int tops, int[] ids, float[] logprobs) {
        MemorySegment fromIds = results.host(TOP_IDS);
        MemorySegment fromLogprobs = results.host(TOP_LOGPROBS);
        for (int row = 0; tops > 0 && row < rows; row++) {
            long from = row * tops * WORD;
            int to = row * maxTops;
            MemorySegment.copy(fromIds, JAVA_INT, from, ids, to, tops);
            MemorySegment.copy(fromLogprobs, JAVA_FLOAT, from, logprobs, to, tops);
        }
    }

    @Override
    public void close() {
        owned.close();
    }
}
