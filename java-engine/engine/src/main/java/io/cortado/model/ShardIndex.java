package io.cortado.model;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import tools.jackson.databind.JsonNode;

/** {@code model.safetensors.index.json}: which tensor lies in which file of the same folder. */
record ShardIndex(Path file, Map<String, String> shardOfTensor) {
    private static final long MAX_BYTES = 64L << 20;
    private static final int MAX_SHARDS = 4096;

    static ShardIndex read(Path file) {
        JsonNode map = JsonFile.object(file, MAX_BYTES).get("weight_map");
        if (map == null || !map.isObject() || map.isEmpty()) {
            throw ModelException.invalid(file + " needs a weight_map of tensor names to files");
        }
        Map<String, String> shardOfTensor = new LinkedHashMap<>();
        for (var entry : map.properties()) {
            shardOfTensor.put(entry.getKey(), shard(file, entry.getKey(), entry.getValue()));
        }
        ShardIndex index = new ShardIndex(file, shardOfTensor);
        if (index.shards().size() > MAX_SHARDS) {
            throw ModelException.invalid(
                    file + " names " + index.shards().size() + " files, limit=" + MAX_SHARDS);
        }
        return index;
    }

    /** A plain name: no folder, so that no index reaches outside the model's. */
    private static String shard(Path file, String tensor, JsonNode value) {
        String name = value.isString() ? value.stringValue() : "";
        boolean plain =
                name.endsWith(".safetensors")
                        && name.length() <= 255
                        && !name.startsWith(".")
                        && name.chars().allMatch(c -> c > ' ' && c < 127 && c != '/' && c != '\\');
        if (!plain) {
            throw ModelException.invalid(
                    "%s: %s must lie in a .safetensors file of the same folder: %s"
                            .formatted(
                                    file,
                                    SafetensorsHeader.shortened(tensor),
                                    ConfigJson.shortened(value)));
        }
        return name;
    }

    /** The named files that are not there. */
    List<String> missing() {
        return shards().stream()
                .filter(shard -> !Files.isRegularFile(file.resolveSibling(shard)))
                .toList();
    }

    TreeSet<String> shards() {
        return new TreeSet<>(shardOfTensor.values());
    }
}
