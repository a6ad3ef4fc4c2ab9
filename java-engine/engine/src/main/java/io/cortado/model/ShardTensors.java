package io.cortado.model;

import io.cortado.device.Scratch;
import io.cortado.device.Weights;
import java.lang.foreign.MemorySegment;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * A rank's part of a model's tensors, under the names of its own shape: rows of what makes heads,
 * gates and logits, columns of what brings them together again, all else as it is. The biases of
 * the latter are the first rank's; the others have zeros.
 */
final class ShardTensors implements TensorSource {
    private static final String WEIGHT = ".weight";
    private static final String BIAS = ".bias";
    private static final Set<String> SUMMED = Set.of("o_proj", "down_proj");

    private final TensorSource stored;
    private final DecoderShape whole;
    private final DecoderShape part;
    private final Shard shard;
    private Scratch scratch = new Scratch();

    /**
     * Owns the source.
     *
     * @param part of whole
     */
    ShardTensors(TensorSource stored, DecoderShape whole, DecoderShape part) {
        this.stored = stored;
        this.whole = whole;
        this.part = part;
        shard = part.shard();
    }

    /**
     * Where rows are.
     *
     * @param module that stores them
     * @param rows that it has
     * @param from the first of the part's
     */
    private record Rows(String module, long rows, long from) {}

    /** Where a module's rows are; null: they are all the rank's. */
    private @Nullable Rows rowsOf(String module) {
        String name = module.substring(module.lastIndexOf('.') + 1);
        String at = module.substring(0, module.length() - name.length());
        long inner = whole.intermediateSize();
        return switch (name) {
            case "q_proj" -> ofQkv(module, at, whole.qSize(), 0, shard.rank() * part.qSize());
            case "k_proj" -> ofQkv(module, at, whole.kvSize(), whole.qSize(), firstKv());
            case "v_proj" ->
                    ofQkv(module, at, whole.kvSize(), whole.qSize() + whole.kvSize(), firstKv());
            case "gate_proj" -> ofGateUp(module, at, 0);
            case "up_proj" -> ofGateUp(module, at, inner);
            case "lm_head" ->
                    new Rows(
                            whole.tiedEmbeddings() ? "model.embed_tokens" : module,
                            whole.vocabSize(),
                            (long) shard.rank() * part.headStride());
            default -> null;
        };
    }

    private long firstKv() {
        return (long) ShardShape.firstKvHead(whole, shard) * whole.headDim();
    }

    private Rows ofQkv(String module, String at, long rows, long before, long from) {
        return whole.fusion().qkv()
                ? new Rows(at + "qkv_proj", whole.qkvSize(), before + from)
                : new Rows(module, rows, from);
    }

    private Rows ofGateUp(String module, String at, long before) {
        long inner = whole.intermediateSize();
        long from = (long) shard.rank() * part.intermediateSize();
        return whole.fusion().gateUp()
                ? new Rows(at + "gate_up_proj", 2 * inner, before + from)
                : new Rows(module, inner, from);
    }

    private String cut(String name) {
        return "tensor-parallel-size=%d cuts %s".formatted(shard.size(), name);
    }

    private static boolean isSummed(String module) {
        return SUMMED.contains(module.substring(module.lastIndexOf('.') + 1));
    }

    private static String module(String name, String suffix) {
        return name.substring(0, name.length() - suffix.length());
    }

    @Override
    public Tensor take(String name, long... shape) {
        if (!name.endsWith(BIAS)) {
            return stored.take(name, shape);
        }
        String module = module(name, BIAS);
        Rows rows = rowsOf(module);
        if (rows != null) {
            Tensor all = stored.take(rows.module() + BIAS, rows.rows());
            long bytes = all.data().byteSize() / rows.rows();
            MemorySegment data = all.data().asSlice(rows.from() * bytes, shape[0] * bytes);
            return new Tensor(name, all.type(), List.of(shape[0]), data);
        }
        Tensor all = stored.take(name, shape);
        return isSummed(module) && !shard.isFirst()
                ? new Tensor(name, all.type(), all.shape(), scratch.allocate(all.data().byteSize()))
                : all;
    }

    @Override
    public Weights.Part matrix(String name, long rows, long cols) {
        String module = module(name, WEIGHT);
        Rows from = rowsOf(module);
        if (from != null) {
            Weights.Part all = stored.matrix(from.module() + WEIGHT, from.rows(), cols);
            return Slices.rows(cut(name), all, from.from(), rows, cols);
        }
        if (isSummed(module)) {
            long wholeCols = cols * shard.size();
            Weights.Part all = stored.matrix(name, rows, wholeCols);
            long first = shard.rank() * cols;
            return Slices.cols(cut(name), all, first, cols, wholeCols, scratch);
        }
        return stored.matrix(name, rows, cols);
    }

    @Override
    public Weights.Shape shapeOf(String name, long rows, long cols) {
        String module = module(name, WEIGHT);
        Rows from = rowsOf(module);
        if (from != null) {
            Weights.Shape all = stored.shapeOf(from.module() + WEIGHT, from.rows(), cols);
            return Slices.rowShape(cut(name), all, from.from(), rows);
        }
        if (isSummed(module)) {
            Weights.Shape all = stored.shapeOf(name, rows, cols * shard.size());
            return Slices.colShape(cut(name), all, shard.rank() * cols, cols);
        }
        return stored.shapeOf(name, rows, cols);
    }

    @Override
    public boolean normsHoldOffset() {
        return stored.normsHoldOffset();
    }

    @Override
    public long bytes() {
        return stored.bytes();
    }

    /** All that the files must hold: a rank that lacks nothing itself would stay alone. */
    @Override
    public void require(Map<String, List<Long>> shapes) {
        stored.require(TensorNeeds.of(whole));
    }

    @Override
    public void release() {
        scratch.close();
        scratch = new Scratch();
        stored.release();
    }

    @Override
    public void requireAllTaken(Set<String> optional) {
        Set<String> names = new HashSet<>(optional);
        if (whole.tiedEmbeddings()) {
            names.add("lm_head.weight");
        }
        stored.requireAllTaken(names);
    }

    @Override
    public void close() {
        scratch.close();
        stored.close();
    }
}
