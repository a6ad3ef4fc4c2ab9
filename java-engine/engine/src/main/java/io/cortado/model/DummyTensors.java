package io.cortado.model;

import io.cortado.device.Buffer;
import io.cortado.device.Device;
import io.cortado.device.WeightFormat;
import io.cortado.device.Weights;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import java.util.stream.LongStream;

/**
 * Random bf16 weights of any shape: the same for the same name and shape, on every machine. Norms
 * are ones.
 */
final class DummyTensors implements TensorSource {
    private static final double DEVIATION = 0.02;
    private static final int CHUNK = 1 << 16;

    private final Device device;

    /** A random short picks a normally distributed value: four elements a random long. */
    private final short[] values = new short[1 << 16];

    private final Deque<Buffer> staging = new ArrayDeque<>();

    DummyTensors(Device device) {
        this.device = device;
        Random random = new Random(1);
        for (int i = 0; i < values.length; i++) {
            values[i] = toBf16((float) (random.nextGaussian() * DEVIATION));
        }
    }

    @Override
    public Tensor take(String name, long... shape) {
        long elements = 1;
        for (long dimension : shape) {
            elements = Math.multiplyExact(elements, dimension);
        }
        long bytes = Math.multiplyExact(elements, 2L);
        Buffer buffer = device.createHostBuffer(Math.ceilDiv(bytes, 8L) * 8);
        staging.push(buffer);
        fill(buffer.host(), name);
        List<Long> dimensions = LongStream.of(shape).boxed().toList();
        return new Tensor(name, TensorType.BF16, dimensions, buffer.host().asSlice(0, bytes));
    }

    @Override
    public Weights.Part matrix(String name, long rows, long cols) {
        return take(name, rows, cols).asMatrix();
    }

    @Override
    public Weights.Shape shapeOf(String name, long rows, long cols) {
        return new Weights.Shape(rows, WeightFormat.BF16);
    }

    /** What publishers store twice need not be made to be compared. */
    @Override
    public boolean areEqual(String one, String other, long rows, long cols) {
        return true;
    }

    /** It holds any number of them. */
    @Override
    public long bytes() {
        return Long.MAX_VALUE;
    }

    private void fill(MemorySegment data, String name) {
        long longs = data.byteSize() / 8;
        long ones = 0x3f803f803f803f80L;
        boolean isNorm = name.endsWith("norm.weight");
        int chunks = Math.toIntExact(Math.ceilDiv(longs, (long) CHUNK));
        IntStream.range(0, chunks)
                .parallel()
                .forEach(chunk -> {
                    long seed = name.hashCode() * 0x9e3779b97f4a7c15L + chunk;
                    SplittableRandom random = new SplittableRandom(seed);
                    long from = (long) chunk * CHUNK;
                    long to = Math.min(longs, from + CHUNK);
                    for (long i = from; i < to; i++) {
                        long four = isNorm ? ones : four(random.nextLong());
                        data.setAtIndex(ValueLayout.JAVA_LONG, i, four);
                    }
                });
    }

    private long four(long bits) {
        long a = values[(int) (bits & 0xffff)] & 0xffffL;
        long b = values[(int) (bits >>> 16 & 0xffff)] & 0xffffL;
        long c = values[(int) (bits >>> 32 & 0xffff)] & 0xffffL;
        long d = values[(int) (bits >>> 48)] & 0xffffL;
        return a | b << 16 | c << 32 | d << 48;
    }

    static short toBf16(float value) {
        int bits = Float.floatToRawIntBits(value);
        return (short) ((bits + 0x7fff + (bits >>> 16 & 1)) >> 16);
    }

    @Override
    public void release() {
        while (!staging.isEmpty()) {
            staging.pop().close();
        }
    }

    @Override
    public void requireAllTaken(Set<String> optional) {
        // There is nothing but what was asked for.
    }

    @Override
    public void close() {
        release();
    }
}
