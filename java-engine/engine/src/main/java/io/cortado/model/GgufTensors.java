package io.cortado.model;

import io.cortado.device.Scratch;
import io.cortado.device.WeightFormat;
import io.cortado.device.Weights;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.stream.LongStream;

/** The tensors of a GGUF model by Hugging Face's names, blocks as they are stored. */
final class GgufTensors implements TensorSource {
    private final GgufModel model;
    private final Path path;
    private Scratch scratch = new Scratch();

    GgufTensors(Path path) {
        this.path = path;
        model = GgufModel.open(path);
    }

    @Override
    public Tensor take(String name, long... shape) {
        GgufTable.Entry entry = entry(name, shape);
        GgufFile.Stored stored = stored(entry);
        TensorType type =
                switch (stored.type()) {
                    case F32 -> TensorType.F32;
                    case F16 -> TensorType.F16;
                    case BF16 -> TensorType.BF16;
                    default ->
                            throw ModelException.unsupported(
                                    "%s: %s must be F32, F16 or BF16: %s"
                                            .formatted(path, entry.name(), stored.type()));
                };
        return new Tensor(entry.name(), type, entry.ownShape(), inOrder(entry, stored));
    }

    @Override
    public Weights.Part matrix(String name, long rows, long cols) {
        GgufTable.Entry entry = entry(name, rows, cols);
        GgufFile.Stored stored = stored(entry);
        return new Weights.Part(inOrder(entry, stored), rows, format(entry, stored.type()));
    }

    @Override
    public Weights.Shape shapeOf(String name, long rows, long cols) {
        GgufTable.Entry entry = entry(name, rows, cols);
        return new Weights.Shape(rows, format(entry, stored(entry).type()));
    }

    /** Hugging Face's name for one of the file; every other as it is. */
    String published(String name) {
        for (Map.Entry<String, GgufTable.Entry> entry : model.table().entrySet()) {
            if (entry.getValue().name().equals(name)) {
                return entry.getKey();
            }
        }
        return name;
    }

    private GgufTable.Entry entry(String name, long... shape) {
        List<Long> wanted = LongStream.of(shape).boxed().toList();
        GgufTable.Entry entry = model.table().get(name);
        if (entry == null || !entry.ownShape().equals(wanted)) {
            throw ModelException.unsupported(
                    "%s: the architecture has no %s of shape %s".formatted(path, name, wanted));
        }
        return entry;
    }

    /** The file was checked against the table when it was opened. */
    private GgufFile.Stored stored(GgufTable.Entry entry) {
        return Objects.requireNonNull(model.tensors().get(entry.name()), entry.name());
    }

    private WeightFormat format(GgufTable.Entry entry, GgufType type) {
        return switch (type) {
            case Q8_1, Q8_K, I8, I16, I32, I64, F64 ->
                    throw ModelException.unsupported(
                            "%s: %s is of type %s, which is not a type of weights here"
                                    .formatted(path, entry.name(), type));
            default -> WeightFormat.valueOf(type.name());
        };
    }

    /**
     * Rows in Hugging Face's order: row {@code h * dim + half * dim / 2 + i} lies at {@code h * dim
     * + 2 * i + half} of a head that alternates (LlamaModel.permute of convert_hf_to_gguf.py).
     */
    private MemorySegment inOrder(GgufTable.Entry entry, GgufFile.Stored stored) {
        Integer expert = entry.expert();
        if (expert != null) {
            long bytes = stored.data().byteSize() / stored.shape().getFirst();
            return stored.data().asSlice(expert * bytes, bytes);
        }
        if (entry.alternatingHeads() == 0) {
            return stored.data();
        }
        long rows = stored.shape().getFirst();
        long dim = rows / entry.alternatingHeads();
        long rowBytes = stored.data().byteSize() / rows;
        MemorySegment ordered = scratch.allocate(stored.data().byteSize());
        for (long row = 0; row < rows; row++) {
            long inHead = row % dim;
            long half = inHead / (dim / 2);
            long from = row - inHead + 2 * (inHead % (dim / 2)) + half;
            MemorySegment.copy(stored.data(), from * rowBytes, ordered, row * rowBytes, rowBytes);
        }
        return ordered;
    }

    @Override
    public boolean normsHoldOffset() {
        return true;
    }

    @Override
    public long bytes() {
        return model.tensors().values().stream().mapToLong(t -> t.data().byteSize()).sum();
    }

    @Override
    public void release() {
        scratch.close();
        scratch = new Scratch();
    }

    /** The table has been checked for what the architecture does not explain. */
    @Override
    public void requireAllTaken(Set<String> optional) {}

    @Override
    public void close() {
        scratch.close();
        model.close();
    }
}
