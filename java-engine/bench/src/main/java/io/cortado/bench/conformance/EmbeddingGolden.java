package io.cortado.bench.conformance;

import io.cortado.api.EmbeddingParams;
import io.cortado.api.EmbeddingRequest;
import io.cortado.api.Engine;
import io.cortado.api.EngineException;
import io.cortado.api.Pooling;
import io.cortado.api.Prompt;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/** An {@code embeddings.json}: pooled hidden states of prompts, by the pooling's name. */
final class EmbeddingGolden {
    static final String FILE = "embeddings.json";

    /** Of a number of a vector of length 1, with float32 arithmetic. */
    private static final double TOLERANCE = 1e-4;

    /** Of the cosine to the reference's vector, with bf16 activations. */
    private static final double LEAST_COSINE = 0.99;

    private final Engine engine;
    private final boolean isExact;
    private double largest;
    private double leastCosine = 1;

    EmbeddingGolden(Engine engine, boolean isExact) {
        this.engine = engine;
        this.isExact = isExact;
    }

    /** Judges each pooling of each prompt, all of a pooling in one batch; says what was seen. */
    String run(Path file, int limit, Tally tally) throws IOException {
        JsonNode prompts = JsonLines.readTree(file).path("prompts");
        List<Prompt> batch = new ArrayList<>();
        for (int i = 0; i < Math.min(limit, prompts.size()); i++) {
            batch.add(Prompt.tokens(ints(prompts.path(i).path("ids"))));
        }
        if (batch.isEmpty()) {
            tally.wrong(FILE + " has no prompts");
            return "";
        }
        for (Map.Entry<String, JsonNode> entry : prompts.path(0).properties()) {
            String name = entry.getKey();
            Pooling pooling = pooling(name);
            if (pooling != null) {
                judge(name, pooling, batch, prompts, tally);
            } else if (entry.getValue().isArray() && !name.equals("ids")) {
                tally.refused(FILE + ": this pooling is not built: " + name, batch.size());
            }
        }
        return "embeddings: largest |d| %.6f, least cosine %.6f".formatted(largest, leastCosine);
    }

    private static @Nullable Pooling pooling(String name) {
        return switch (name) {
            case "mean" -> Pooling.MEAN;
            case "last" -> Pooling.LAST;
            case "cls", "first" -> Pooling.CLS;
            default -> null;
        };
    }

    private void judge(
            String name, Pooling pooling, List<Prompt> batch, JsonNode prompts, Tally tally) {
        List<float[]> got;
        try {
            got = embed(pooling, batch, isUnit(prompts.path(0).path(name)));
        } catch (EngineException e) {
            tally.wrong(FILE + ": " + name + ": " + e.getMessage());
            return;
        }
        for (int i = 0; i < batch.size(); i++) {
            String fault = compare(prompts.path(i).path(name), got.get(i));
            if (fault == null) {
                tally.right();
            } else {
                tally.wrong(FILE + ": prompt " + i + ", " + name + ": " + fault);
            }
        }
    }

    private List<float[]> embed(Pooling pooling, List<Prompt> batch, boolean normalize) {
        EmbeddingParams params = new EmbeddingParams(pooling, normalize, null);
        try {
            return engine.embed(new EmbeddingRequest(batch, params)).stream()
                    .map(embedding -> embedding.values())
                    .toList();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted", e);
        }
    }

    private static boolean isUnit(JsonNode vector) {
        double squares = 0;
        for (JsonNode value : vector) {
            squares += value.doubleValue() * value.doubleValue();
        }
        return Math.abs(squares - 1) < 1e-3;
    }

    /** Null if it is right. */
    private @Nullable String compare(JsonNode expected, float[] got) {
        if (expected.size() != got.length) {
            return "expected " + expected.size() + " numbers but got " + got.length;
        }
        double worst = 0;
        double dot = 0;
        double squares = 0;
        double expectedSquares = 0;
        for (int i = 0; i < got.length; i++) {
            double value = expected.path(i).doubleValue();
            worst = Math.max(worst, Math.abs(value - got[i])); // NaN stays
            dot += value * got[i];
            squares += (double) got[i] * got[i];
            expectedSquares += value * value;
        }
        double cosine = dot / Math.sqrt(squares * expectedSquares);
        largest = Math.max(largest, worst);
        leastCosine = Math.min(leastCosine, cosine);
        if (isExact) {
            double limit = TOLERANCE * Math.max(1, Math.sqrt(expectedSquares));
            return worst <= limit ? null : "|d| %.6f above %.6f".formatted(worst, limit);
        }
        return cosine >= LEAST_COSINE
                ? null
                : "cosine %.6f below %.2f".formatted(cosine, LEAST_COSINE);
    }

    private static int[] ints(JsonNode array) {
        return array.valueStream().mapToInt(JsonNode::intValue).toArray();
    }
}
