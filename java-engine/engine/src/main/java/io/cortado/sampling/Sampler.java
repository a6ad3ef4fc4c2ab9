package io.cortado.sampling;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.cortado.device.Buffer;
import io.cortado.device.Device;
import io.cortado.device.Kernels;
import io.cortado.device.Mirror;
import io.cortado.device.ResourceStack;
import io.cortado.device.SampleParams;
import io.cortado.device.Stream;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * Draws a token for each row of logits: the rows' parameters go up in one copy, the results come
 * down in one. Fill with {@link #begin} and {@link #add}, then {@link #write} and {@link #enqueue},
 * and read once the stream has passed it. One thread.
 */
public final class Sampler implements AutoCloseable {
    /** As {@code forced}: draw. */
    public static final int DRAW = -1;

    private static final int FIRST_BIAS_CAPACITY = 4096;
    private static final long WORD = Integer.BYTES;

    // Sections of what goes up; the last two only where a row needs them.
    private static final int TEMPERATURE = 0;
    private static final int TOP_K = 1;
    private static final int TOP_P = 2;
    private static final int MIN_P = 3;
    private static final int SEED = 4;
    private static final int POSITION = 5;
    private static final int FORCED = 6;
    private static final int BIAS_OFFSETS = 7;

    // Sections of what comes down; the last two only where a row asks for them.
    private static final int TOKEN = 0;
    private static final int STATUS = 1;
    private static final int LOGPROB = 2;
    private static final int RANK = 3;
    private static final int TOP_IDS = 4;
    private static final int TOP_LOGPROBS = 5;

    private static final int BIAS = 0;

    private final Device device;
    private final ResourceStack owned = new ResourceStack();
    private final SampleParams params;
    private final int maxRows;
    private final int vocabSize;
    private final int maxTops;
    private final Mirror inputs;
    private final Mirror results;
    private final @Nullable Buffer workspace;

    private Mirror biasIds;
    private Mirror biasValues;
    private int biasCapacity;

    // The rows on the Java side, copied in bulk: element by element costs a check each.
    private final float[] temperatures;
    private final int[] topKs;
    private final float[] topPs;
    private final float[] minPs;
    private final long[] seeds;
    private final long[] positions;
    private final int[] forces;
    private final int[] offsets;

    private int numRows;
    private int numBias;
    private boolean anyForced;

    public Sampler(Device device, int maxRows, int maxTops, int vocabSize) {
        this.device = device;
        this.maxRows = maxRows;
        this.vocabSize = vocabSize;
        this.maxTops = maxTops;
        params = new SampleParams(device);
        temperatures = new float[maxRows];
        topKs = new int[maxRows];
        topPs = new float[maxRows];
        minPs = new float[maxRows];
        seeds = new long[maxRows];
        positions = new long[maxRows];
        forces = new int[maxRows];
        offsets = new int[maxRows + 1];
        biasCapacity = FIRST_BIAS_CAPACITY;
        long rows = maxRows * WORD;
        long tops = rows * maxTops;
        boolean built = false;
        try {
            inputs =
                    own(
                            new Mirror(
                                    device,
                                    rows,
                                    rows,
                                    rows,
                                    rows,
                                    2 * rows,
                                    2 * rows,
                                    rows,
                                    rows + WORD));
            results = own(new Mirror(device, rows, rows, rows, rows, tops, tops));
            workspace = workspace();
            biasIds = new Mirror(device, biasCapacity * WORD);
            owned.push(() -> biasIds.close());
            biasValues = new Mirror(device, biasCapacity * WORD);
            owned.push(() -> biasValues.close());
            built = true;
        } finally {
            if (!built) {
                owned.close();
            }
        }
    }

    private Mirror own(Mirror mirror) {
        owned.push(mirror::close);
        return mirror;
    }

    /** Enough for all rows with all that they may ask for. */
    private @Nullable Buffer workspace() {
        params.numRows(maxRows)
                .vocabulary(vocabSize, vocabSize)
                .numBias(biasCapacity)
                .maxTopLogprobs(maxTops);
        long bytes = device.sampleWorkspaceBytes(params);
        if (bytes == 0) {
            return null;
        }
        Buffer buffer = device.createBuffer(bytes);
        owned.push(buffer::close);
        return buffer;
    }

    /** Starts the next batch of rows. */
    public void begin() {
        numRows = 0;
        numBias = 0;
        anyForced = false;
    }

    /**
     * Adds a row; bias added next is this row's.
     *
     * @param position of the token to draw: with the seed the key of its random number
     * @param force the token to report instead of drawing, or {@link #DRAW}
     */
    public void add(
            float temperature,
            int topK,
            float topP,
            float minP,
            long seed,
            long position,
            int force) {
        int row = numRows++;
        temperatures[row] = temperature;
        topKs[row] = topK;
        topPs[row] = topP;
        minPs[row] = minP;
        seeds[row] = seed;
        positions[row] = position;
        forces[row] = force;
        offsets[row] = numBias;
        offsets[row + 1] = numBias;
        anyForced |= force != DRAW;
    }

    /** Adds to the logit of an id in the last row; minus infinity bans it. */
    public void bias(int id, float value) {
        if (numBias == biasCapacity) {
            growBias();
        }
        biasIds.host(BIAS).setAtIndex(JAVA_INT, numBias, id);
        biasValues.host(BIAS).setAtIndex(JAVA_FLOAT, numBias, value);
        numBias++;
        offsets[numRows] = numBias;
    }

    private void growBias() {
        long bytes = biasCapacity * WORD;
        biasIds = grown(biasIds, bytes);
        biasValues = grown(biasValues, bytes);
        biasCapacity *= 2;
    }

    private Mirror grown(Mirror from, long bytes) {
        Mirror to = new Mirror(device, 2 * bytes);
        MemorySegment.copy(from.host(BIAS), 0, to.host(BIAS), 0, bytes);
        from.close();
        return to;
    }

    /**
     * Writes the rows that were added where the device takes them: once a batch, before it runs.
     */
    public void write() {
        MemorySegment.copy(temperatures, 0, inputs.host(TEMPERATURE), JAVA_FLOAT, 0, numRows);
        MemorySegment.copy(topKs, 0, inputs.host(TOP_K), JAVA_INT, 0, numRows);
        MemorySegment.copy(topPs, 0, inputs.host(TOP_P), JAVA_FLOAT, 0, numRows);
        MemorySegment.copy(minPs, 0, inputs.host(MIN_P), JAVA_FLOAT, 0, numRows);
        MemorySegment.copy(seeds, 0, inputs.host(SEED), JAVA_LONG, 0, numRows);
        MemorySegment.copy(positions, 0, inputs.host(POSITION), JAVA_LONG, 0, numRows);
        if (anyForced) {
            MemorySegment.copy(forces, 0, inputs.host(FORCED), JAVA_INT, 0, numRows);
        }
        if (numBias > 0) {
            MemorySegment.copy(offsets, 0, inputs.host(BIAS_OFFSETS), JAVA_INT, 0, numRows + 1);
        }
    }

    /**
     * True if nothing but the rows' scalars varies from a call to the next: a graph may hold it.
     */
    public boolean isPlain() {
        return numBias == 0 && !anyForced;
    }

    /** int32[maxRows] on the device: the tokens of the last {@link #enqueue}. */
    public Buffer tokens() {
        return results.device(TOKEN);
    }

    /**
     * Enqueues the draw, with the copies of what it needs and gives.
     *
     * @param logits float32 [rows][vocabulary]
     * @param tops likeliest tokens reported beside each row's own
     */
    public void enqueue(Buffer logits, int tops, Stream stream) {
        upload(stream);
        draw(logits, tops, stream);
        if (tops > 0) {
            results.download(TOP_LOGPROBS, numRows * tops * WORD, stream);
        } else {
            results.download(RANK, numRows * WORD, stream);
        }
    }

    private void upload(Stream stream) {
        if (numBias > 0) {
            inputs.upload(BIAS_OFFSETS, (numRows + 1) * WORD, stream);
            biasIds.upload(BIAS, numBias * WORD, stream);
            biasValues.upload(BIAS, numBias * WORD, stream);
        } else if (anyForced) {
            inputs.upload(FORCED, numRows * WORD, stream);
        } else {
            inputs.upload(POSITION, numRows * 2 * WORD, stream);
        }
    }

    private void draw(Buffer logits, int tops, Stream stream) {
        params.numRows(numRows)
                .vocabulary(vocabSize, vocabSize)
                .numBias(numBias)
                .maxTopLogprobs(tops);
        boolean biased = numBias > 0;
        Kernels.sample(
                results.device(TOKEN),
                results.device(LOGPROB),
                results.device(RANK),
                tops > 0 ? results.device(TOP_IDS) : null,
                tops > 0 ? results.device(TOP_LOGPROBS) : null,
                results.device(STATUS),
                logits,
                inputs.device(TEMPERATURE),
                inputs.device(TOP_K),
                inputs.device(TOP_P),
                inputs.device(MIN_P),
                inputs.device(SEED),
                inputs.device(POSITION),
                anyForced ? inputs.device(FORCED) : null,
                biased ? inputs.device(BIAS_OFFSETS) : null,
                biased ? biasIds.device(BIAS) : null,
                biased ? biasValues.device(BIAS) : null,
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
