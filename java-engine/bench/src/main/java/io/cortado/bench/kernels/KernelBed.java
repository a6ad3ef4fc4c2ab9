package io.cortado.bench.kernels;

import io.cortado.device.Buffer;
import io.cortado.device.DType;
import io.cortado.device.Device;
import io.cortado.device.ExpertWeights;
import io.cortado.device.Staging;
import io.cortado.device.Stream;
import io.cortado.device.WeightFormat;
import io.cortado.device.Weights;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;

/** What a case lies on: a device, a stream, and buffers that are closed with the bed. */
public final class KernelBed implements AutoCloseable {
    // Sign, the lowest bit of the exponent and the mantissa are random; the rest of the exponent
    // is fixed: magnitudes from 1/32 to 1/8, never zero, never a denormal.
    private static final long BF16_RANDOM = 0x80FF80FF80FF80FFL;
    private static final long BF16_FIXED = 0x3D003D003D003D00L;
    private static final long F32_RANDOM = 0x80FFFFFF80FFFFFFL;
    private static final long F32_FIXED = 0x3D0000003D000000L;

    private static final long F16_RANDOM = 0x87FF87FF87FF87FFL;
    private static final long F16_FIXED = 0x2800280028002800L;
    private static final long F8_RANDOM = 0x8F8F8F8F8F8F8F8FL;
    private static final long F8_FIXED = 0x1010101010101010L;

    private static final short TENTH = Float.floatToFloat16(0.1f);

    private final Device device;
    private final Stream stream;
    private final Staging staging;
    private final SplittableRandom random;
    private final Deque<AutoCloseable> owned = new ArrayDeque<>();

    public KernelBed(Device device, long seed) {
        this.device = device;
        random = new SplittableRandom(seed);
        stream = own(device.createStream());
        staging = own(new Staging(device));
    }

    Device device() {
        return device;
    }

    public Stream stream() {
        return stream;
    }

    SplittableRandom random() {
        return random;
    }

    Buffer zeros(long bytes) {
        return own(device.createBuffer(bytes));
    }

    Buffer randoms(long elements, DType dtype) {
        Buffer buffer = zeros(elements * dtype.bytes());
        staging.write(buffer, bytes -> fill(bytes, dtype));
        return buffer;
    }

    Buffer ints(int... values) {
        Buffer buffer = zeros(4L * values.length);
        staging.write(
                buffer,
                bytes ->
                        MemorySegment.copy(
                                values, 0, bytes, ValueLayout.JAVA_INT, 0, values.length));
        return buffer;
    }

    Buffer longs(long... values) {
        Buffer buffer = zeros(8L * values.length);
        staging.write(
                buffer,
                bytes ->
                        MemorySegment.copy(
                                values, 0, bytes, ValueLayout.JAVA_LONG, 0, values.length));
        return buffer;
    }

    Buffer floats(float... values) {
        Buffer buffer = zeros(4L * values.length);
        write(buffer, values);
        return buffer;
    }

    /** Replaces what a buffer holds. */
    void write(Buffer to, float[] values) {
        staging.write(
                to,
                bytes ->
                        MemorySegment.copy(
                                values, 0, bytes, ValueLayout.JAVA_FLOAT, 0, values.length));
    }

    Weights weights(long rows, long cols, WeightFormat format, Weights.Use use) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment data = arena.allocate(format.bytes(rows * cols), Buffer.ALIGNMENT);
            switch (format) {
                case F32 -> fill(data, DType.F32);
                case BF16 -> fill(data, DType.BF16);
                default -> fillBlocks(data, format);
            }
            return own(
                    device.createWeights(
                            List.of(new Weights.Part(data, rows, format)), cols, DType.BF16, use));
        }
    }

    ExpertWeights experts(int count, long hidden, long inner, WeightFormat format) {
        List<ExpertWeights.@Nullable Expert> experts = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            experts.add(
                    new ExpertWeights.Expert(
                            weights(inner, hidden, format, Weights.Use.EXPERT),
                            weights(inner, hidden, format, Weights.Use.EXPERT),
                            weights(hidden, inner, format, Weights.Use.EXPERT)));
        }
        return own(device.createExperts(experts));
    }

    /** Random codes; the one or two half-precision numbers that begin a block are 0.1. */
    private void fillBlocks(MemorySegment data, WeightFormat format) {
        for (long i = 0; i < data.byteSize() / 2; i++) {
            data.set(ValueLayout.JAVA_SHORT, 2 * i, (short) random.nextInt());
        }
        for (long at = 0; at < data.byteSize(); at += format.blockBytes()) {
            data.set(ValueLayout.JAVA_SHORT, at, TENTH);
            data.set(ValueLayout.JAVA_SHORT, at + 2, TENTH);
        }
    }

    /** A permutation of 0 to count - 1. */
    int[] shuffled(int count) {
        int[] order = new int[count];
        for (int i = 0; i < count; i++) {
            int j = random.nextInt(i + 1);
            order[i] = order[j];
            order[j] = i;
        }
        return order;
    }

    private void fill(MemorySegment data, DType dtype) {
        long mask =
                switch (dtype) {
                    case F32 -> F32_RANDOM;
                    case BF16 -> BF16_RANDOM;
                    case F16 -> F16_RANDOM;
                    case F8_E4M3 -> F8_RANDOM;
                };
        long fixed =
                switch (dtype) {
                    case F32 -> F32_FIXED;
                    case BF16 -> BF16_FIXED;
                    case F16 -> F16_FIXED;
                    case F8_E4M3 -> F8_FIXED;
                };
        long words = data.byteSize() / 8;
        for (long i = 0; i < words; i++) {
            data.setAtIndex(ValueLayout.JAVA_LONG, i, (random.nextLong() & mask) | fixed);
        }
    }

    private <T extends AutoCloseable> T own(T handle) {
        owned.push(handle);
        return handle;
    }

    @Override
    public void close() {
        stream.synchronize();
        RuntimeException failure = null;
        while (!owned.isEmpty()) {
            try {
                owned.pop().close();
            } catch (Exception e) {
                failure = failure == null ? new IllegalStateException(e) : failure;
            }
        }
        if (failure != null) {
            throw failure;
        }
    }
}
