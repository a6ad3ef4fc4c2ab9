package io.cortado.model;

import io.cortado.device.Weights;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.LongStream;

/**
 * The tensors of a model's folder: {@code model.safetensors}, or the shards that an index names.
 */
final class Checkpoint implements TensorSource {
    private static final String BACKBONE = "model.";

    private static final int MAX_NAMED = 40;

    private final Path folder;
    private final List<SafetensorsFile> files = new ArrayList<>();
    private final Map<String, Tensor> tensors = new LinkedHashMap<>();
    private final Set<String> taken = new HashSet<>();

    private Checkpoint(Path folder) {
        this.folder = folder;
    }

    static Checkpoint open(Path folder) {
        Checkpoint checkpoint = new Checkpoint(folder);
        boolean opened = false;
        try {
            checkpoint.openFiles();
            opened = true;
            return checkpoint;
        } finally {
            if (!opened) {
                checkpoint.close();
            }
        }
    }

    private void openFiles() {
        Path single = folder.resolve("model.safetensors");
        Path index = folder.resolve("model.safetensors.index.json");
        if (Files.isRegularFile(single)) {
            add(single);
        } else if (Files.isRegularFile(index)) {
            addShards(ShardIndex.read(index));
        } else {
            throw ModelException.invalid(
                    "there is neither " + single + " nor " + index.getFileName() + " beside it");
        }
        if (tensors.containsKey("embed_tokens.weight")
                && !tensors.containsKey(BACKBONE + "embed_tokens.weight")) {
            nameBackbone();
        }
    }

    /** Embedding models are published as the decoder alone, its names without {@code model.}. */
    private void nameBackbone() {
        Map<String, Tensor> stored = new LinkedHashMap<>(tensors);
        tensors.clear();
        stored.forEach((name, tensor) ->
                tensors.put(name.startsWith("lm_head.") ? name : BACKBONE + name, tensor));
    }

    private void addShards(ShardIndex index) {
        if (!index.missing().isEmpty()) {
            throw ModelException.invalid(
                    index.file() + " names files that are not there: " + index.missing());
        }
        for (String shard : index.shards()) {
            SafetensorsFile file = add(folder.resolve(shard));
            for (String name : file.tensors().keySet()) {
                if (!shard.equals(index.shardOfTensor().get(name))) {
                    throw ModelException.invalid(
                            "%s holds %s, which the index places in %s"
                                    .formatted(
                                            folder.resolve(shard),
                                            SafetensorsHeader.shortened(name),
                                            index.shardOfTensor().get(name)));
                }
            }
        }
        for (String name : index.shardOfTensor().keySet()) {
            if (!tensors.containsKey(name)) {
                throw ModelException.invalid(
                        "%s places %s in %s, which does not hold it"
                                .formatted(
                                        index.file(),
                                        SafetensorsHeader.shortened(name),
                                        index.shardOfTensor().get(name)));
            }
        }
    }

    private SafetensorsFile add(Path path) {
        SafetensorsFile file = SafetensorsFile.open(path);
        files.add(file);
        file.tensors()
                .forEach((name, tensor) -> {
                    if (tensors.put(name, tensor) != null) {
                        throw ModelException.invalid(
                                path + " holds " + name + ", as does another shard");
                    }
                });
        return file;
    }

    @Override
    public void require(Map<String, List<Long>> shapes) {
        List<String> problems = new ArrayList<>();
        shapes.forEach((name, shape) -> {
            Tensor tensor = tensors.get(name);
            if (tensor == null) {
                problems.add(name + " of shape " + shape + " is missing");
            } else if (!tensor.shape().equals(shape)) {
                problems.add(name + " must have shape " + shape + ": " + tensor.shape());
            }
        });
        if (!problems.isEmpty()) {
            throw ModelException.invalid(
                    "%s: %d of %d tensors are missing or have a wrong shape: %s%s"
                            .formatted(
                                    folder,
                                    problems.size(),
                                    shapes.size(),
                                    String.join(
                                            "; ",
                                            problems.subList(
                                                    0, Math.min(MAX_NAMED, problems.size()))),
                                    problems.size() > MAX_NAMED ? "; ..." : ""));
        }
    }

    boolean has(String name) {
        return tensors.containsKey(name);
    }

    /** The tensor of this name and shape, of any type, or an error that names both. */
    Tensor stored(String name, long... shape) {
        Tensor tensor = tensors.get(name);
        List<Long> wanted = LongStream.of(shape).boxed().toList();
        if (tensor == null) {
            throw ModelException.invalid(folder + " has no tensor " + name + " of shape " + wanted);
        }
        if (!tensor.shape().equals(wanted)) {
            throw ModelException.invalid(
                    "%s: tensor %s must have shape %s: %s"
                            .formatted(folder, name, wanted, tensor.shape()));
        }
        taken.add(name);
        return tensor;
    }

    /** The tensor of this name, which is there, taken. */
    Tensor storedAnyhow(String name) {
        taken.add(name);
        return peek(name);
    }

    /** The same, not taken. */
    Tensor peek(String name) {
        return Objects.requireNonNull(tensors.get(name), name);
    }

    @Override
    public Tensor take(String name, long... shape) {
        Tensor tensor = stored(name, shape);
        if (tensor.type().dtype() == null) {
            throw ModelException.unsupported(
                    "%s: tensor %s must be BF16, F16 or F32: %s"
                            .formatted(folder, name, tensor.type()));
        }
        return tensor;
    }

    @Override
    public Weights.Part matrix(String name, long rows, long cols) {
        return take(name, rows, cols).asMatrix();
    }

    @Override
    public Weights.Shape shapeOf(String name, long rows, long cols) {
        return matrix(name, rows, cols).shape(); // mapped, not read
    }

    @Override
    public long bytes() {
        return tensors.values().stream().mapToLong(tensor -> tensor.data().byteSize()).sum();
    }

    @Override
    public void release() {
        // The mapping goes as a whole, at close.
    }

    @Override
    public void requireAllTaken(Set<String> optional) {
        Set<String> left = new TreeSet<>(tensors.keySet());
        left.removeAll(taken);
        left.removeAll(optional);
        for (String beginning : optional) {
            left.removeIf(name -> beginning.endsWith(".") && name.startsWith(beginning));
        }
        // Old Llama checkpoints store what every reader computes.
        left.removeIf(name -> name.endsWith(".rotary_emb.inv_freq"));
        if (!left.isEmpty()) {
            throw ModelException.unsupported(
                    "%s has %d tensors that config.json does not explain: %s%s"
                            .formatted(
                                    folder,
                                    left.size(),
                                    left.stream().limit(5).toList(),
                                    left.size() > 5 ? ", ..." : ""));
        }
    }

    @Override
    public void close() {
        files.forEach(SafetensorsFile::close);
    }
}
