package io.cortado.server.record;

import io.cortado.api.SamplingParams;
import io.cortado.api.Scheduling;
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
        out.open().field("n", params.n());
        out.name("temperature").value(params.temperature());
        out.name("top_p").value(params.topP()).field("top_k", params.topK());
        out.name("min_p").value(params.minP());
        out.field("seed", Objects.requireNonNull(params.seed()));
        out.field("max_tokens", params.maxTokens()).field("min_tokens", params.minTokens());
        out.name("stop").openArray();
        params.stop().forEach(out::value);
        out.closeArray().name("stop_token_ids").openArray();
        params.stopTokenIds().forEach(out::value);
        out.closeArray().name("include_stop").value(params.includeStop());
        out.name("ignore_eos").value(params.ignoreEos());
        optional(out.name("logprobs"), params.logprobs());
        optional(out.name("prompt_logprobs"), params.promptLogprobs());
        out.name("logit_bias").open();
        params.logitBias().forEach((id, bias) -> out.name(String.valueOf(id)).value(bias));
        out.close().name("skip_special_tokens").value(params.skipSpecialTokens()).close();
    }

    private static void optional(JsonOut out, @Nullable Integer value) {
        if (value == null) {
            out.nullValue();
        } else {
            out.value(value);
        }
    }

    static SamplingParams params(JsonNode node) {
        Map<Integer, Float> bias = new HashMap<>();
        node.path("logit_bias")
                .properties()
                .forEach(entry ->
                        bias.put(Integer.valueOf(entry.getKey()), entry.getValue().floatValue()));
        return SamplingParams.builder()
                .n(required(node, "n").intValue())
                .temperature(required(node, "temperature").floatValue())
                .topP(required(node, "top_p").floatValue())
                .topK(required(node, "top_k").intValue())
                .minP(required(node, "min_p").floatValue())
                .seed(required(node, "seed").longValue())
                .maxTokens(required(node, "max_tokens").intValue())
                .minTokens(required(node, "min_tokens").intValue())
                .stop(strings(required(node, "stop")))
                .stopTokenIds(
                        required(node, "stop_token_ids")
                                .valueStream()
                                .map(JsonNode::intValue)
                                .toList())
                .includeStop(required(node, "include_stop").booleanValue())
                .ignoreEos(required(node, "ignore_eos").booleanValue())
                .logprobs(optional(node.path("logprobs")))
                .promptLogprobs(optional(node.path("prompt_logprobs")))
                .logitBias(bias)
                .skipSpecialTokens(required(node, "skip_special_tokens").booleanValue())
                .build();
    }

    private static List<String> strings(JsonNode node) {
        return node.valueStream().map(JsonNode::stringValue).toList();
    }

    private static @Nullable Integer optional(JsonNode node) {
        return node.isNumber() ? (Integer) node.intValue() : null;
    }

    static void write(JsonOut out, Scheduling scheduling) {
        out.open().field("priority", scheduling.priority());
        out.field("tenant", scheduling.tenant()).field("ttft_ms", scheduling.ttftMs());
        out.field("tpot_ms", scheduling.tpotMs());
        out.field("cache_salt", scheduling.cacheSalt()).close();
    }

    static Scheduling scheduling(JsonNode node) {
        return new Scheduling(
                required(node, "priority").intValue(),
                required(node, "tenant").stringValue(),
                required(node, "ttft_ms").longValue(),
                required(node, "tpot_ms").longValue(),
                required(node, "cache_salt").stringValue());
    }

    static JsonNode required(JsonNode node, String name) {
        JsonNode field = node.get(name);
        if (field == null || field.isNull()) {
            throw new IllegalArgumentException("a recorded request must have " + name);
        }
        return field;
    }
}
