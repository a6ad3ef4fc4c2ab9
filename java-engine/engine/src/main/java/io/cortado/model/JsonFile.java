package io.cortado.model;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import tools.jackson.core.JacksonException;
import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.core.json.JsonFactory;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** JSON from strangers: bounded in size, depth, and in the length of names and numbers. */
final class JsonFile {
    static final JsonMapper MAPPER =
            JsonMapper.builder(
                            JsonFactory.builder()
                                    .streamReadConstraints(
                                            StreamReadConstraints.builder()
                                                    .maxNestingDepth(32)
                                                    .maxNumberLength(64)
                                                    .maxNameLength(4096)
                                                    .maxStringLength(1 << 20)
                                                    .build())
                                    .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                                    .build())
                    .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
                    .build();

    private JsonFile() {}

    /** The object in a file of at most maxBytes. */
    static JsonNode object(Path file, long maxBytes) {
        JsonNode root = value(file, maxBytes);
        if (!root.isObject()) {
            throw ModelException.invalid(file + " must hold a JSON object");
        }
        return root;
    }

    /** The array in a file of at most maxBytes. */
    static JsonNode array(Path file, long maxBytes) {
        JsonNode root = value(file, maxBytes);
        if (!root.isArray()) {
            throw ModelException.invalid(file + " must hold a JSON array");
        }
        return root;
    }

    private static JsonNode value(Path file, long maxBytes) {
        try {
            long bytes = Files.size(file);
            if (bytes > maxBytes) {
                throw ModelException.invalid(
                        file + " is too long: bytes=" + bytes + ", limit=" + maxBytes);
            }
            return MAPPER.readTree(Files.readAllBytes(file));
        } catch (IOException e) {
            throw ModelException.invalid("cannot read " + file + ": " + e, e);
        } catch (JacksonException e) {
            throw ModelException.invalid(file + " is not valid JSON: " + e.getOriginalMessage(), e);
        }
    }
}
