package io.cortado.server.cli;

import io.cortado.api.EmbeddingParams;
import io.cortado.api.Pooling;
import java.util.Arrays;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Flags that say how embeddings are made, where the model's own files are not to decide. */
final class PoolerFlags {
    @Option(
            names = "--pooling-type",
            paramLabel = "TYPE",
            description = "of embeddings: mean, last or cls; absent: as the model's files say")
    @Nullable Pooling poolingType;

    @Option(
            names = "--override-pooler-config",
            paramLabel = "JSON",
            description = "the same as {\"pooling_type\": TYPE, \"normalize\": true|false}")
    @Nullable String overridePoolerConfig;

    EmbeddingParams params() {
        if (overridePoolerConfig == null) {
            return new EmbeddingParams(poolingType, null, null);
        }
        Pooling pooling = poolingType;
        Boolean normalize = null;
        for (Map.Entry<String, JsonNode> entry : object(overridePoolerConfig).properties()) {
            JsonNode value = entry.getValue();
            switch (entry.getKey()) {
                case "pooling_type" -> {
                    Pooling named = pooling(value);
                    if (poolingType != null && poolingType != named) {
                        throw wrong("pooling_type and --pooling-type differ", value);
                    }
                    pooling = named;
                }
                case "normalize" -> {
                    if (!value.isBoolean()) {
                        throw wrong("normalize must be true or false", value);
                    }
                    normalize = value.booleanValue();
                }
                default ->
                        throw wrong(
                                "the keys are pooling_type and normalize: key=" + entry.getKey(),
                                value);
            }
        }
        return new EmbeddingParams(pooling, normalize, null);
    }

    private static JsonNode object(String text) {
        try {
            JsonNode root = JsonMapper.shared().readTree(text);
            if (root.isObject()) {
                return root;
            }
        } catch (JacksonException e) {
            // told below, in words that name the flag
        }
        throw new IllegalArgumentException(
                "override-pooler-config must be a JSON object: override-pooler-config=" + text);
    }

    private static Pooling pooling(JsonNode value) {
        String name = value.asString("").toUpperCase(Locale.ROOT);
        return Arrays.stream(Pooling.values())
                .filter(each -> each.name().equals(name))
                .findFirst()
                .orElseThrow(() -> wrong("pooling_type must be MEAN, LAST or CLS", value));
    }

    private static IllegalArgumentException wrong(String what, JsonNode value) {
        return new IllegalArgumentException("override-pooler-config: " + what + ": " + value);
    }
}
