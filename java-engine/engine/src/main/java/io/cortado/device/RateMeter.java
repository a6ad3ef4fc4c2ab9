package io.cortado.device;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.IntConsumer;
import org.jspecify.annotations.Nullable;

/**
 * Measures how fast a device runs each operator: recorded, one call after the other, on matrices
 * and keys that take turns so that none is still in a cache, as in a step of a large model. The
 * median of some runs counts. One thread; the device does nothing else meanwhile.
 */
public final class RateMeter {
    private static final int[] LINEAR_ROWS = {1, 2, 4, 8, 12, 16, 24, 32, 48, 64, 128, 256, 512};
    private static final int[] ROWS = {1, 2, 4, 16, 64, 256, 1024};
    private static final int[] DRAWN_ROWS = {1, 2, 4, 16, 64};
    private static final int[] COPIED_BYTES = {1 << 12, 1 << 16, 1 << 20, 1 << 24};

    /**
     * Rows and columns of the matrices, or columns and rows, as a layer has both wide and tall
     * ones; and what they take together: more than caches hold.
     */
    private static final int LINEAR_WIDE = 4096;

    private static final int LINEAR_NARROW = 1024;

    private static final long ROTATED_BYTES = 512L << 20;
    private static final int MAX_MATRICES = 256;

    private static final int ROW_COLS = 2048;
    private static final int VOCABULARY = 65536;

    private static final int RUNS = 5;
    private static final double RUN_SECONDS = 0.01;
    private static final int MAX_CALLS = 256;
    private static final long STALL_MS = 60_000;

    /** As bf16, float16 and float32 a number between 0 and 2. */
    private static final int FILLING = 0x3d;

    private final Device device;

    public RateMeter(Device device) {
        this.device = device;
    }

    public Curve measure(Rate rate) {
        return switch (rate) {
            case Rate.Peak peak -> Curve.constant(device.probe(peak.probe()));
            case Rate.Overhead overhead -> Curve.constant(overhead(overhead.isShared()));
            case Rate.Turnaround _ -> Curve.constant(turnaround());
            case Rate.HostCopy _ -> hostCopy();
            case Rate.Linear linear -> linear(linear);
            case Rate.Rows rows -> rows(rows);
            case Rate.Decode decode -> {
                try (Bed bed = new Bed(device)) {
                    yield new AttentionRates(bed, decode.attention())
                            .decode(decode.numSeqs(), overhead(true));
                }
            }
            case Rate.Prefill prefill -> {
                try (Bed bed = new Bed(device)) {
                    yield new AttentionRates(bed, prefill.attention()).prefill(overhead(true));
                }
            }
            case Rate.Draw _ -> draw();
        };
    }

    /** A stream and what lies on the device for one measurement. */
    static final class Bed implements AutoCloseable {
        final Device device;
        final Stream stream;
        private final ResourceStack owned = new ResourceStack();

        Bed(Device device) {
            this.device = device;
            stream = device.createStream();
            owned.push(stream::close);
        }

        /** Written once: memory that never was may be one and the same page. */
        Buffer filled(long bytes) {
            Buffer buffer = zeros(bytes);
            Kernels.fill(buffer, 0, bytes, FILLING, stream);
            return buffer;
        }

        Buffer zeros(long bytes) {
            Buffer buffer = device.createBuffer(bytes);
            owned.push(buffer::close);
            return buffer;
        }

        Buffer ints(int... values) {
            Buffer buffer;
            try (Staging staging = new Staging(device)) {
                buffer =
                        staging.create(
                                4L * values.length,
                                bytes -> bytes.copyFrom(MemorySegment.ofArray(values)));
            }
            owned.push(buffer::close);
            return buffer;
        }

        void own(ResourceStack.Resource resource) {
            owned.push(resource);
        }

        /**
         * Seconds of one call, recorded many times.
         *
         * @param variants of the argument, from 0 on, that take turns
         */
        double seconds(int variants, IntConsumer enqueue) {
            enqueue.accept(0); // kernels are loaded, algorithms chosen
            stream.synchronize();
            long start = System.nanoTime();
            enqueue.accept(variants - 1);
            stream.synchronize();
            double once = (System.nanoTime() - start) / 1e9;
            int calls = (int) Math.clamp(RUN_SECONDS / once, 2, MAX_CALLS);
            if (once * variants < 2 * RUN_SECONDS) {
                calls = Math.ceilDiv(calls, variants) * variants;
            }
            try (Graph graph = record(calls, variants, enqueue)) {
                double[] each = new double[RUNS];
                for (int i = 0; i < RUNS; i++) {
                    start = System.nanoTime();
                    graph.launch(stream);
                    stream.synchronize();
                    each[i] = (System.nanoTime() - start) / 1e9 / calls;
                }
                Arrays.sort(each);
                return each[RUNS / 2];
            }
        }

        private Graph record(int calls, int variants, IntConsumer enqueue) {
            stream.beginCapture();
            for (int i = 0; i < calls; i++) {
                enqueue.accept(i % variants);
            }
            return stream.endCapture();
        }

        @Override
        public void close() {
            stream.synchronize();
            owned.close();
        }
    }

    private double overhead(boolean isShared) {
        try (Bed bed = new Bed(device)) {
            Buffer x = bed.filled(4096);
            if (!isShared) {
                return bed.seconds(1, _ -> Kernels.fill(x, 0, 64, 0, bed.stream));
            }
            int cols = 64;
            int rows = 32 * Math.max(1, device.info().threads());
            Buffer y = bed.zeros(2L * rows);
            Weights weights = matrix(bed, WeightFormat.BF16, rows, cols, DType.BF16);
            DType bf16 = DType.BF16;
            return bed.seconds(
                    1,
                    _ ->
                            Kernels.linear(
                                    y, x, weights, null, 1, rows, cols, bf16, bf16, bed.stream));
        }
    }

    private double turnaround() {
        try (Bed bed = new Bed(device);
                Event done = device.createEvent()) {
            Buffer x = bed.filled(64);
            double[] runs = new double[RUNS * 20];
            for (int i = 0; i < runs.length; i++) {
                long start = System.nanoTime();
                Kernels.fill(x, 0, 64, 0, bed.stream);
                done.record(bed.stream);
                if (!done.await(STALL_MS)) {
                    throw new IllegalStateException("the device is stalled: waitedMs=" + STALL_MS);
                }
                runs[i] = (System.nanoTime() - start) / 1e9;
            }
            Arrays.sort(runs);
            return runs[runs.length / 2];
        }
    }

    private Curve hostCopy() {
        int most = COPIED_BYTES[COPIED_BYTES.length - 1];
        try (Bed bed = new Bed(device)) {
            Buffer from = bed.filled(most);
            Buffer to = device.createHostBuffer(most);
            bed.own(to::close);
            return rising(
                    COPIED_BYTES,
                    bytes -> bed.seconds(1, _ -> Kernels.copy(to, from, 0, 0, bytes, bed.stream)));
        }
    }

    private Curve linear(Rate.Linear rate) {
        DType dtype = rate.dtype();
        double overhead = overhead(true);
        try (Bed bed = new Bed(device)) {
            List<Weights> matrices = new ArrayList<>();
            long bytes = 0;
            while (bytes < ROTATED_BYTES && matrices.size() < MAX_MATRICES) {
                boolean isTall = matrices.size() % 2 == 0;
                int rows = isTall ? LINEAR_WIDE : LINEAR_NARROW;
                int cols = isTall ? LINEAR_NARROW : LINEAR_WIDE;
                Weights weights = matrix(bed, rate.format(), rows, cols, dtype);
                matrices.add(weights);
                bytes += weights.bytes();
            }
            int most = LINEAR_ROWS[LINEAR_ROWS.length - 1];
            Buffer x = bed.filled((long) most * LINEAR_WIDE * dtype.bytes());
            Buffer y = bed.filled((long) most * LINEAR_WIDE * dtype.bytes());
            return rising(
                    LINEAR_ROWS,
                    rows -> {
                        double seconds =
                                bed.seconds(
                                        matrices.size(),
                                        i ->
                                                Kernels.linear(
                                                        y,
                                                        x,
                                                        matrices.get(i),
                                                        null,
                                                        rows,
                                                        matrices.get(i).rows(),
                                                        matrices.get(i).cols(),
                                                        dtype,
                                                        dtype,
                                                        bed.stream));
                        return beyond(overhead, seconds) / ((double) LINEAR_WIDE * LINEAR_NARROW);
                    });
        }
    }

    static Weights matrix(Bed bed, WeightFormat format, int rows, int cols, DType dense) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment data = arena.allocate(format.bytes((long) rows * cols), 64);
            data.fill((byte) FILLING);
            Weights weights =
                    bed.device.createWeights(
                            List.of(
                                    new Weights.Part(
                                            data, rows, format, scales(arena, format, rows, cols))),
                            cols,
                            dense,
                            Weights.Use.LINEAR);
            bed.own(weights::close);
            return weights;
        }
    }

    /** A scale for 128 columns of a row, as most files have them. */
    private static Weights.@Nullable Scales scales(
            Arena arena, WeightFormat format, int rows, int cols) {
        if (format != WeightFormat.F8_E4M3 && format != WeightFormat.INT4) {
            return null;
        }
        int group = 128;
        MemorySegment scales = arena.allocate(4L * rows * (cols / group), 64);
        scales.fill((byte) FILLING);
        return new Weights.Scales(scales, null, 1, group);
    }

    private Curve rows(Rate.Rows rate) {
        double overhead = overhead(false);
        try (Bed bed = new Bed(device)) {
            RowRates rates = new RowRates(bed, rate.dtype(), ROW_COLS, ROWS[ROWS.length - 1]);
            return rising(
                    ROWS,
                    rows -> beyond(overhead, rates.seconds(rate.operation(), rows)) / ROW_COLS);
        }
    }

    private Curve draw() {
        double overhead = overhead(true);
        try (Bed bed = new Bed(device)) {
            int most = DRAWN_ROWS[DRAWN_ROWS.length - 1];
            Buffer logits = bed.filled(4L * most * VOCABULARY);
            Buffer rowParams = greedy(bed, most);
            Buffer token = bed.zeros(4L * most);
            Buffer logprob = bed.zeros(4L * most);
            Buffer rank = bed.zeros(4L * most);
            Buffer status = bed.zeros(4L * most);
            SampleParams params =
                    new SampleParams(device)
                            .numRows(most)
                            .vocabulary(VOCABULARY, VOCABULARY)
                            .logitsType(DType.F32);
            long bytes = device.sampleWorkspaceBytes(params);
            @Nullable Buffer workspace = bytes == 0 ? null : bed.zeros(bytes);
            return rising(
                    DRAWN_ROWS,
                    rows -> {
                        params.numRows(rows);
                        double seconds =
                                bed.seconds(
                                        1,
                                        _ ->
                                                Kernels.sample(
                                                        token,
                                                        logprob,
                                                        rank,
                                                        null,
                                                        null,
                                                        status,
                                                        null,
                                                        logits,
                                                        rowParams,
                                                        null,
                                                        null,
                                                        null,
                                                        null,
                                                        workspace,
                                                        params,
                                                        bed.stream));
                        return beyond(overhead, seconds) / VOCABULARY;
                    });
        }
    }

    private static Buffer greedy(Bed bed, int rows) {
        Buffer params = bed.zeros(rows * SampleRow.BYTES);
        SampleRow row = new SampleRow().temperature(0);
        try (Staging staging = new Staging(bed.device)) {
            staging.write(
                    params,
                    bytes -> {
                        for (int i = 0; i < rows; i++) {
                            row.copyTo(bytes, i);
                        }
                    });
        }
        return params;
    }

    /** What is left of a measurement; a part of it at least, since both are noisy. */
    static double beyond(double overhead, double seconds) {
        return Math.max(seconds - overhead, seconds / 10);
    }

    /** A measurement at a size. */
    interface Measured {
        double at(int size);
    }

    /** The same of what takes no less where there is more of it: else it was disturbed. */
    static Curve rising(int[] sizes, Measured measured) {
        double[] values = curve(sizes, measured).values();
        for (int i = values.length - 2; i >= 0; i--) {
            values[i] = Math.min(values[i], values[i + 1]);
        }
        return new Curve(Arrays.stream(sizes).asDoubleStream().toArray(), values);
    }

    static Curve curve(int[] sizes, Measured measured) {
        double[] values = new double[sizes.length];
        for (int i = 0; i < sizes.length; i++) {
            values[i] = measured.at(sizes[i]);
        }
        return new Curve(Arrays.stream(sizes).asDoubleStream().toArray(), values);
    }
}
