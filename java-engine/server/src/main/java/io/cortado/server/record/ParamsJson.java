package io.cortado.server.record;

import io.cortado.api.Constraint;
import io.cortado.api.SamplingParams;
import io.cortado.api.Scheduling;
import io.cortado.api.Scoring;
import io.cortado.api.Stopping;
import io.cortado.api.TokenRules;
import io.cortado.server.JsonOut;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/** Parameters of a request as JSON, there and back, every one of them. */
final class ParamsJson {
    private ParamsJson() {}

    static void write(JsonOut out, SamplingParams params) {
        out.open().field("n", params.n()).field("best_of", params.bestOf());
        out.field("seed", Objects.requireNonNull(params.seed()));
        out.name("temperature").value(params.temperature());
        SamplersJson.write(out, params);
        write(out, params.tokens());
        strings(out, "logits_processors", params.logitsProcessors());
        write(out, params.stopping());
        optional(out.name("logprobs"), params.scoring().logprobs());
        optional(out.name("prompt_logprobs"), params.scoring().promptLogprobs());
        out.field("logprobs_mode", params.scoring().mode().name());
        out.name("skip_special_tokens").value(params.skipSpecialTokens());
        Constraint constraint = params.constraint();
        if (constraint != null) {
            ConstraintJson.write(out.name("constraint"), constraint);
        }
        out.close();
    }

    private static void write(JsonOut out, TokenRules tokens) {
        out.name("logit_bias").open();
        tokens.logitBias().forEach((id, bias) -> out.name(String.valueOf(id)).value(bias));
        out.close().name("allowed_token_ids");
        if (tokens.allowedTokenIds() == null) {
            out.nullValue();
        } else {
            out.ints(tokens.allowedTokenIds().stream().mapToInt(Integer::intValue).toArray());
        }
        strings(out, "bad_words", tokens.badWords());
    }

    private static void write(JsonOut out, Stopping stopping) {
        out.field("max_tokens", stopping.maxTokens()).field("min_tokens", stopping.minTokens());
        strings(out, "stop", stopping.stop());
        out.name("stop_token_ids")
                .ints(stopping.stopTokenIds().stream().mapToInt(Integer::intValue).toArray());
        out.name("include_stop").value(stopping.includeStop());
        out.name("ignore_eos").value(stopping.ignoreEos());
    }

    static void strings(JsonOut out, String name, List<String> strings) {
        out.name(name).openArray();
        strings.forEach(out::value);
        out.closeArray();
    }

    private static void optional(JsonOut out, @Nullable Integer value) {
        if (value == null) {
            out.nullValue();
        } else {
            out.value(value);
        }
    }

    /** What recordings of older versions do not have is off. */
    static SamplingParams params(JsonNode node) {
        int n = required(node, "n").intValue();
        return SamplersJson.read(node)
                .n(n)
                .bestOf(node.path("best_of").asInt(n))
                .seed(required(node, "seed").longValue())
                .temperature(required(node, "temperature").floatValue())
                .tokens(tokens(node))
                .logitsProcessors(strings(node.path("logits_processors")))
                .maxTokens(required(node, "max_tokens").intValue())
                .minTokens(required(node, "min_tokens").intValue())
                .stop(strings(required(node, "stop")))
                .stopTokenIds(ids(required(node, "stop_token_ids")))
                .includeStop(required(node, "include_stop").booleanValue())
                .ignoreEos(required(node, "ignore_eos").booleanValue())
                .scoring(
                        new Scoring(
                                optional(node.path("logprobs")),
                                optional(node.path("prompt_logprobs")),
                                Scoring.Mode.valueOf(node.path("logprobs_mode").asString("RAW"))))
                .skipSpecialTokens(required(node, "skip_special_tokens").booleanValue())
                .constraint(ConstraintJson.read(node.get("constraint")))
                .build();
    }

    private static TokenRules tokens(JsonNode node) {
        Map<Integer, Float> bias = new HashMap<>();
        for (Map.Entry<String, JsonNode> entry : node.path("logit_bias").properties()) {
            bias.put(Integer.valueOf(entry.getKey()), entry.getValue().floatValue());
        }
        JsonNode allowed = node.path("allowed_token_ids");
        return new TokenRules(
                bias, allowed.isArray() ? ids(allowed) : null, strings(node.path("bad_words")));
    }

    private static List<Integer> ids(JsonNode node) {
        return node.valueStream().map(JsonNode::intValue).toList();
    }

    static List<String> strings(JsonNode node) {
        return node.valueStream().map(JsonNode::stringValue).toList();
    }

    private static @Nullable Integer optional(JsonNode node) {
        return node.isNumber() ? (Integer) node.intValue() : null;
    }

    static void write(JsonOut out, Scheduling scheduling) {
        out.open().field("priority", scheduling.priority());
        out.field("tenant", scheduling.tenant()).field("ttft_ms", scheduling.ttftMs());
        out.field("tpot_ms", scheduling.tpotMs());
        out.field("cache_salt", scheduling.cacheSalt());
        if (scheduling.draftTokens() != Integer.MAX_VALUE) {
            out.field("num_speculative_tokens", scheduling.draftTokens());
        }
        out.close();
    }

    static Scheduling scheduling(JsonNode node) {
        return new Scheduling(
                required(node, "priority").intValue(),
                required(node, "tenant").stringValue(),
                required(node, "ttft_ms").longValue(),
                required(node, "tpot_ms").longValue(),
                required(node, "cache_salt").stringValue(),
                node.path("num_speculative_tokens").intValue(Integer.MAX_VALUE));
    }

    static JsonNode required(JsonNode node, String name) {
        JsonNode field = node.get(name);
        if (field == null || field.isNull()) {
            throw new IllegalArgumentException("a recorded request must have " + name);
        }
        return field;
    }
}
