package io.cortado.bench.kernels;

import io.cortado.device.Buffer;
import io.cortado.device.DType;
import io.cortado.device.Kernels;
import io.cortado.device.Probe;
import io.cortado.device.SampleParams;
import io.cortado.device.SampleRow;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/** The sampler on normally distributed logits: its floor is one read of them. */
final class SamplingCases {
    private static final int VOCABULARY = 131_072;
    private static final int VARIANTS = 8;
    private static final int PROMPT = 1000;
    private static final int OUTPUT = 200;

    private SamplingCases() {}

    static List<KernelCase> all() {
        KernelCase sort = new KernelCase("sample_sort_b16", bed -> sort(bed, 16));
        KernelCase plain = cutting("sample_plain_b16", 16);
        return List.of(
                of("sample_greedy_b16", 16, new SampleRow().temperature(0)),
                of("sample_draw_b16", 16, new SampleRow()),
                of("sample_top_p_b16", 16, new SampleRow().topP(0.9f)),
                of("sample_min_p_b16", 16, new SampleRow().minP(0.05f)),
                cutting("sample_top_k_top_p_b1", 1),
                cutting("sample_top_k_top_p_b16", 16).against(sort),
                of("sample_logprobs_b16", 16, cut().logprobs(0, false)).against(plain),
                new KernelCase("sample_penalties_b16", bed -> penalties(bed, 16)).against(plain));
    }

    private static KernelCase of(String name, int rows, SampleRow row) {
        return new KernelCase(name, bed -> new Call(bed, rows).work(row));
    }

    private static KernelCase cutting(String name, int rows) {
        return of(name, rows, cut());
    }

    private static SampleRow cut() {
        return new SampleRow().temperature(0.8f).topK(50).topP(0.9f);
    }

    private static KernelWork penalties(KernelBed bed, int rows) {
        Call call = new Call(bed, rows);
        call.addStates();
        return call.work(cut().penalties(1.1f, 0.3f, 0.2f));
    }

    /** The same rows sorted whole, by all of the machine's threads. */
    private static KernelWork sort(KernelBed bed, int rows) {
        long[][] keys = new long[rows][VOCABULARY];
        float[] logits = normal(bed, rows);
        return new KernelWork(
                (long) rows * VOCABULARY * Float.BYTES,
                0,
                Probe.F32_FLOPS,
                1,
                i ->
                        IntStream.range(0, rows)
                                .parallel()
                                .forEach(row -> sortRow(keys[row], logits, row)));
    }

    /** Of keys that hold the logit in ascending order above the id. */
    private static void sortRow(long[] keys, float[] logits, int row) {
        for (int id = 0; id < VOCABULARY; id++) {
            int bits = Float.floatToRawIntBits(logits[row * VOCABULARY + id]);
            keys[id] = (long) (bits ^ (bits >> 31 >>> 1)) << Integer.SIZE | id;
        }
        Arrays.sort(keys);
    }

    /** Logits as a model gives them: a normal distribution, so that top-p cuts somewhere. */
    private static float[] normal(KernelBed bed, int rows) {
        float[] values = new float[rows * VOCABULARY];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) (3 * bed.random().nextGaussian());
        }
        return values;
    }

    /** The buffers of a call. */
    private static final class Call {
        private final KernelBed bed;
        private final int rows;
        private final SampleParams params;
        private final Buffer[] logits = new Buffer[VARIANTS];
        private final Buffer token;
        private final Buffer logprob;
        private final Buffer rank;
        private final Buffer status;
        private final Buffer state;
        private final Buffer history;
        private final Buffer workspace;
        private boolean hasStates;

        Call(KernelBed bed, int rows) {
            this.bed = bed;
            this.rows = rows;
            params =
                    new SampleParams(bed.device())
                            .numRows(rows)
                            .vocabulary(VOCABULARY, VOCABULARY)
                            .logitsType(DType.F32);
            Arrays.setAll(logits, i -> bed.floats(normal(bed, rows)));
            token = bed.zeros(4L * rows);
            logprob = bed.zeros(4L * rows);
            rank = bed.zeros(4L * rows);
            status = bed.zeros(4L * rows);
            state = bed.zeros(bed.device().sampleStateBytes(rows, VOCABULARY));
            int[] ids = new int[rows * (PROMPT + OUTPUT)];
            Arrays.setAll(ids, i -> bed.random().nextInt(VOCABULARY));
            history = bed.ints(ids);
            params.numSlots(rows).numHistory(ids.length);
            workspace = bed.zeros(Math.max(1, bed.device().sampleWorkspaceBytes(params)));
            params.numSlots(0).numHistory(0);
        }

        /** Each row gets a slot with a prompt and an output in it. */
        void addStates() {
            hasStates = true;
            params.numSlots(rows).numHistory(rows * (PROMPT + OUTPUT));
            long[] structs = structs(new SampleRow().reset(true));
            for (int row = 0; row < rows; row++) {
                int begin = row * (PROMPT + OUTPUT);
                SampleRow.in(MemorySegment.ofArray(structs), row)
                        .history(begin, begin + PROMPT, begin + PROMPT + OUTPUT);
            }
            enqueue(0, bed.longs(structs));
        }

        KernelWork work(SampleRow row) {
            Buffer structs = bed.longs(structs(row));
            return new KernelWork(
                    (long) rows * VOCABULARY * Float.BYTES,
                    0,
                    Probe.F32_FLOPS,
                    VARIANTS,
                    i -> enqueue(i, structs));
        }

        private long[] structs(SampleRow row) {
            long[] structs = new long[(int) (rows * SampleRow.BYTES / Long.BYTES)];
            for (int r = 0; r < rows; r++) {
                row.random(bed.random().nextLong(), 0, 0)
                        .stateSlot(hasStates ? r : SampleRow.NONE)
                        .copyTo(MemorySegment.ofArray(structs), r);
            }
            return structs;
        }

        private void enqueue(int variant, Buffer structs) {
            Kernels.sample(
                    token,
                    logprob,
                    rank,
                    null,
                    null,
                    status,
                    hasStates ? state : null,
                    logits[variant],
                    structs,
                    null,
                    null,
                    hasStates ? history : null,
                    null,
                    workspace,
                    params,
                    bed.stream());
        }
    }
}
