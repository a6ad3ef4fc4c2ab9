package io.cortado.model;

import io.cortado.device.Scratch;
import io.cortado.device.Weights;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.LongStream;

/** A checkpoint some of whose matrices are quantised. */
final class QuantizedTensors implements TensorSource {
    private static final ValueLayout.OfLong LONG =
            ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final String WEIGHT = ".weight";

    private final Checkpoint checkpoint;
    private final Quantization quantization;
    private final Set<String> quantized = new HashSet<>();

    /** Of what was repacked for the matrices taken so far; shared, as threads repack together. */
    private Scratch scratch = new Scratch();

    QuantizedTensors(Checkpoint checkpoint, Quantization quantization) {
        this.checkpoint = checkpoint;
        this.quantization = quantization;
    }

    /** What packed codes stand for is checked when they are taken. */
    @Override
    public void require(Map<String, List<Long>> shapes) {
        Map<String, List<Long>> plain = new LinkedHashMap<>(shapes);
        plain.keySet()
                .removeIf(
                        name -> name.endsWith(WEIGHT) && quantization.isPacked(this, module(name)));
        checkpoint.require(plain);
    }

    private static String module(String name) {
        return name.substring(0, name.length() - WEIGHT.length());
    }

    @Override
    public Tensor take(String name, long... shape) {
        return checkpoint.take(name, shape);
    }

    @Override
    public Weights.Part matrix(String name, long rows, long cols) {
        String module = module(name);
        Weights.Part matrix = quantization.matrix(this, module, rows, cols);
        if (matrix == null) {
            return checkpoint.matrix(name, rows, cols);
        }
        quantized.add(module);
        return matrix;
    }

    @Override
    public Weights.Shape shapeOf(String name, long rows, long cols) {
        Weights.Shape shape = quantization.shapeOf(this, module(name), rows, cols);
        return shape == null ? checkpoint.shapeOf(name, rows, cols) : shape;
    }

    boolean has(String name) {
        return checkpoint.has(name);
    }

    /** Of any type. */
    Tensor stored(String name, long... shape) {
        return checkpoint.stored(name, shape);
    }

    /** Of any type and shape; it is there. */
    Tensor storedAnyhow(String name) {
        return checkpoint.storedAnyhow(name);
    }

    /** A tensor that is knowingly not read, where it is there. */
    void pass(String name) {
        if (has(name)) {
            checkpoint.storedAnyhow(name);
        }
    }

    /** Packed codes, zeros or indices. */
    Tensor words(String name, long... shape) {
        Tensor tensor = checkpoint.stored(name, shape);
        if (tensor.type() != TensorType.I32) {
            throw ModelException.unsupported(name + " must be I32: " + tensor.type());
        }
        return tensor;
    }

    /** A tensor that says the shape of a packed one. */
    void requireStoredShape(String name, long rows, long cols) {
        if (!has(name)) {
            return;
        }
        Tensor tensor = checkpoint.stored(name, 2);
        boolean holds =
                tensor.type() == TensorType.I64
                        && tensor.data().get(LONG, 0) == rows
                        && tensor.data().get(LONG, 8) == cols;
        if (!holds) {
            throw ModelException.invalid(
                    "%s must be I64 and hold [%d, %d]".formatted(name, rows, cols));
        }
    }

    static void requireShape(Tensor tensor, long... shape) {
        List<Long> wanted = LongStream.of(shape).boxed().toList();
        if (!tensor.shape().equals(wanted)) {
            throw ModelException.invalid(
                    "tensor %s must have shape %s: %s"
                            .formatted(tensor.name(), wanted, tensor.shape()));
        }
    }

    /** All elements as float32 in the machine's order. */
    MemorySegment floats(Tensor tensor) {
        long count = 1;
        for (long dimension : tensor.shape()) {
            count *= dimension;
        }
        MemorySegment floats = allocate(count * 4);
        for (long i = 0; i < count; i++) {
            floats.setAtIndex(ValueLayout.JAVA_FLOAT, i, tensor.element(i));
        }
        return floats;
    }

    /** Until {@link #release}. */
    MemorySegment allocate(long bytes) {
        return scratch.allocate(bytes);
    }

    @Override
    public long bytes() {
        return checkpoint.bytes();
    }

    @Override
    public void release() {
        scratch.close();
        scratch = new Scratch();
        checkpoint.release();
    }

    /** Packers of GPTQ write a bias of zeros to modules that have none. */
    @Override
    public void requireAllTaken(Set<String> optional) {
        Set<String> known = new HashSet<>(optional);
        for (String module : quantized) {
            String bias = module + ".bias";
            if (has(bias) && isZero(checkpoint.peek(bias).data())) {
                known.add(bias);
            }
        }
        checkpoint.requireAllTaken(known);
    }

    private static boolean isZero(MemorySegment data) {
        for (long i = 0; i < data.byteSize(); i++) {
            if (data.get(ValueLayout.JAVA_BYTE, i) != 0) {
                return false;
            }
        }
        return true;
    }

    @Override
    public void close() {
        scratch.close();
        checkpoint.close();
    }
}
