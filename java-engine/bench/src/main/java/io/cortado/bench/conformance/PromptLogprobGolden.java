package io.cortado.bench.conformance;

import io.cortado.api.Engine;
import io.cortado.api.GenerationEvent;
import io.cortado.api.GenerationRequest;
import io.cortado.api.GenerationStream;
import io.cortado.api.Prompt;
import io.cortado.api.SamplingParams;
import io.cortado.api.TokenLogprob;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/**
 * A {@code prompt_logprobs.json}: log-probability, rank and likeliest tokens of every prompt token,
 * asked from the engine. The model's own logits tell where a rank is a tie within the tolerance.
 */
final class PromptLogprobGolden {
    static final String FILE = "prompt_logprobs.json";

    private static final int MAX_TOPS = 20;

    private final Engine engine;
    private final LmDriver driver;
    private final double limit;
    private double largest;

    /**
     * @param limit of the difference of a log-probability
     */
    PromptLogprobGolden(Engine engine, LmDriver driver, double limit) {
        this.engine = engine;
        this.driver = driver;
        this.limit = limit;
    }

    /** Judges each prompt; says what was seen. */
    String run(Path file, int maxPrompts, Tally tally) throws IOException {
        JsonNode prompts = JsonLines.readTree(file).path("prompts");
        if (prompts.isEmpty()) {
            tally.wrong(FILE + " has no prompts");
        }
        for (int i = 0; i < Math.min(maxPrompts, prompts.size()); i++) {
            JsonNode prompt = prompts.path(i);
            int[] ids = prompt.path("ids").valueStream().mapToInt(JsonNode::intValue).toArray();
            String fault = judge(ids, prompt.path("tokens"), i);
            if (fault == null) {
                tally.right();
            } else {
                tally.wrong(FILE + ": prompt " + i + " of " + ids.length + " ids: " + fault);
            }
        }
        return "prompt log-probabilities: largest |d| %.6f".formatted(largest);
    }

    /** Null if it is right. */
    private @Nullable String judge(int[] ids, JsonNode expected, int seed) {
        int tops = 0;
        for (JsonNode token : expected) {
            tops = Math.min(MAX_TOPS, Math.max(tops, token.path("top").size()));
        }
        List<@Nullable TokenLogprob> got = score(ids, tops);
        if (got.size() != expected.size()) {
            return "expected %d tokens but was %d".formatted(expected.size(), got.size());
        }
        LmDriver.Sequence sequence = driver.sequence(0, ids, seed);
        driver.run(sequence, Integer.MAX_VALUE);
        for (int i = 0; i < got.size(); i++) {
            TokenLogprob token = got.get(i);
            boolean isNull = expected.path(i).isNull();
            if (isNull || token == null) {
                if (isNull != (token == null)) {
                    return "token " + i + ": expected " + expected.path(i) + " but was " + token;
                }
                continue;
            }
            String fault = compare(expected.path(i), token, sequence.logits()[i - 1]);
            if (fault != null) {
                return "token " + i + ": " + fault;
            }
        }
        return null;
    }

    private @Nullable String compare(JsonNode expected, TokenLogprob token, float[] logits) {
        if (expected.path("id").intValue() != token.id()) {
            return "expected id " + expected.path("id") + " but was " + token.id();
        }
        String fault = value("log-probability", expected.path("logprob"), token.logprob());
        if (fault != null) {
            return fault;
        }
        int rank = expected.path("rank").intValue();
        int first = 1 + countAbove(logits, token.id(), 2 * limit);
        int last = Math.max(first, countAbove(logits, token.id(), -2 * limit));
        if (rank != token.rank()
                && (rank < first || rank > last || token.rank() < first || token.rank() > last)) {
            return "expected rank " + rank + " but was " + token.rank();
        }
        JsonNode top = expected.path("top");
        for (int k = 0; k < Math.min(top.size(), token.top().size()); k++) {
            fault = top(top.path(k), token.top().get(k), logits, k);
            if (fault != null) {
                return fault;
            }
        }
        return top.size() > MAX_TOPS || top.size() <= token.top().size()
                ? null
                : "expected " + top.size() + " likeliest tokens but was " + token.top().size();
    }

    /** The k-th likeliest; another id only where both are as likely within the tolerance. */
    private @Nullable String top(JsonNode expected, TokenLogprob got, float[] logits, int k) {
        int id = expected.path(0).intValue();
        if (got.id() != id && Math.abs(logits[got.id()] - logits[id]) > 2 * limit) {
            return "expected id " + id + " at top " + k + " but was " + got.id();
        }
        return value("top " + k, expected.path(1), got.logprob());
    }

    private @Nullable String value(String what, JsonNode expected, double got) {
        double difference = Math.abs(expected.doubleValue() - got);
        largest = Math.max(largest, difference);
        return difference <= limit
                ? null
                : "%s: expected %s but was %.5f".formatted(what, expected, got);
    }

    /** Logits more than {@code margin} above that of an id; with a negative margin its own too. */
    private static int countAbove(float[] logits, int id, double margin) {
        int count = 0;
        for (float logit : logits) {
            count += logit > logits[id] + margin ? 1 : 0;
        }
        return count;
    }

    private List<@Nullable TokenLogprob> score(int[] ids, int tops) {
        SamplingParams params = SamplingParams.greedy(1).toBuilder().promptLogprobs(tops).build();
        GenerationRequest request = new GenerationRequest(Prompt.tokens(ids), params);
        List<@Nullable TokenLogprob> scores = new ArrayList<>();
        try (GenerationStream stream = engine.generate(request)) {
            for (var event = stream.next(); event != null; event = stream.next()) {
                switch (event) {
                    case GenerationEvent.PromptScored scored -> scores.addAll(scored.tokens());
                    case GenerationEvent.Failed failed -> throw failed.error();
                    case GenerationEvent.Started _,
                            GenerationEvent.Delta _,
                            GenerationEvent.Finished _,
                            GenerationEvent.Completed _ -> {}
                }
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted", e);
        }
        return scores;
    }
}
