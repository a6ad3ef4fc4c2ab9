package io.cortado.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.api.Dry;
import io.cortado.api.DynamicTemperature;
import io.cortado.api.Mirostat;
import io.cortado.api.Penalties;
import io.cortado.api.SamplingParams;
import io.cortado.api.SamplingStep;
import io.cortado.api.Scoring;
import io.cortado.api.TokenRules;
import io.cortado.api.Truncation;
import io.cortado.api.Xtc;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;

/** Sampling parameters over HTTP, on both routes. */
class SamplingFieldsTest {
    @SuppressWarnings("NullAway.Init") // before all tests
    private static TestServer server;

    @BeforeAll
    static void start() throws Exception {
        server = TestServer.start();
    }

    @AfterAll
    static void stop() {
        server.close();
    }

    private static SamplingParams seen() {
        return server.engine.seen.getLast().params();
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "n | 17 | [1, 16] | 17",
                "best_of | 0 | [1, 16] | 0",
                "best_of | 17 | [1, 16] | 17",
                "temperature | 2.5 | [0 | 2.5",
                "top_p | 0 | (0, 1] | 0",
                "top_p | 1.5 | (0, 1] | 1.5",
                "top_k | -2 | [-1, | -2",
                "min_p | -0.5 | [0, 1] | -0.5",
                "typical_p | 0 | (0, 1] | 0",
                "top_n_sigma | -3 | -1, 0 or positive | -3",
                "epsilon_cutoff | 1 | [0, 1) | 1",
                "eta_cutoff | -1 | [0, 1) | -1",
                "top_h | 2 | [0, 1] | 2",
                "xtc_probability | 2 | [0, 1] | 2",
                "xtc_threshold | -1 | [0, 1] | -1",
                "mirostat | 1 | 0 (off) or 2 | 1",
                "mirostat | 3 | 0 (off) or 2 | 3",
                "mirostat_tau | 0 | (0, 100] | 0",
                "mirostat_eta | 2 | (0, 1] | 2",
                "dynatemp_range | 3 | [0, 2] | 3",
                "dynatemp_exponent | 0 | (0, 10] | 0",
                "repetition_penalty | 0 | (0, 100] | 0",
                "frequency_penalty | 2.5 | [-2, 2] | 2.5",
                "presence_penalty | -3 | [-2, 2] | -3",
                "dry_multiplier | -1 | [0, 100] | -1",
                "dry_base | 0.5 | [1, 100] | 0.5",
                "dry_allowed_length | 0 | [1, 1024] | 0",
                "dry_penalty_last_n | -2 | [-1, | -2",
                "dry_sequence_breakers | [\"\"] | 1 to 64 characters | 0",
                "dry_sequence_breakers | [7] | array of strings | integer",
                "allowed_token_ids | [] | at least 1 id | []",
                "allowed_token_ids | [1000] | [0, 999] | 1000",
                "bad_words | [\" \"] | not all white space | \" \"",
                "bad_words | \"x\" | an array | string",
                "logit_bias | {\"1\":100.5} | [-100, 100] | 100.5",
                "logit_bias | {\"1000\":1} | [0, 999] | 1000",
                "stop_token_ids | [-1] | [0, 999] | -1",
                "min_tokens | 17 | [0, max_tokens= | 17",
                "logprobs_mode | \"raw_logits\" | processed_logprobs | raw_logits",
                "sampler_order | [\"infill\"] | top_k (k) | infill",
                "sampler_order | \"kk\" | without repetition | top_k",
                "samplers | [\"top_k\",7] | array of strings | integer",
                "samplers | \"z\" | top_k (k) | z",
                "logits_processors | [1] | array of strings | integer",
                "use_beam_search | true | only false is taken | best_of",
                "length_penalty | 1.5 | only 1 is taken | not supported",
                "early_stopping | true | only false is taken | not supported",
                "repeat_penalty | 1.1 | use repetition_penalty | not supported",
                "post_sampling_probs | true | use logprobs_mode | not supported",
            })
    void refusesByFieldRangeAndValue(String field, String json, String range, String value)
            throws Exception {
        String more = "\"" + field + "\":" + json;
        refused(field, range, value, server.chat("hi", "\"max_tokens\":16," + more));
        refused(field, range, value, server.complete("\"prompt\":\"hi\"," + more));
    }

    private static void refused(
            String field, String range, String value, java.net.http.HttpResponse<String> answer) {
        JsonNode error = TestServer.error(400, answer);
        assertEquals(field, error.get("param").stringValue());
        String message = error.get("message").stringValue();
        assertTrue(message.contains(field.equals("samplers") ? "sampler" : field), message);
        assertTrue(message.contains(range), message);
        assertTrue(message.contains(value), message);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "best_of | \"best_of\":2,\"stream\":true | stream",
                "mirostat | \"mirostat\":2,\"top_k\":5 | top_k",
                "mirostat | \"mirostat\":2,\"xtc_probability\":1 | xtc",
                "dynatemp_range | \"temperature\":0,\"dynatemp_range\":0.5 | temperature",
                "sampler_order | \"sampler_order\":[\"top_k\"],\"min_p\":0.5 | min_p",
                "samplers | \"sampler_order\":\"k\",\"samplers\":\"k\" | sampler_order",
                "prompt_logprobs | \"prompt_logprobs\":1,\"stream\":true | stream",
                "best_of | \"n\":3,\"best_of\":2 | [3, 16]",
            })
    void refusesWhatDoesNotGoTogether(String field, String fields, String other) throws Exception {
        for (var answer :
                List.of(
                        server.chat("hi", fields),
                        server.complete("\"prompt\":\"hi\"," + fields))) {
            JsonNode error = TestServer.error(400, answer);
            assertEquals(field, error.get("param").stringValue());
            assertTrue(error.get("message").stringValue().contains(other), error.toString());
        }
    }

    @Test
    void refusesTooManyEntries() throws Exception {
        for (Map.Entry<String, Integer> limit :
                Map.of("stop_token_ids", 16, "logits_processors", 8, "dry_sequence_breakers", 32)
                        .entrySet()) {
            String one = limit.getKey().equals("stop_token_ids") ? "1" : "\"x\"";
            refusesMany(limit.getKey(), limit.getValue(), "[%s]", i -> one);
        }
        refusesMany("bad_words", 128, "[%s]", i -> "\"x\"");
        refusesMany("logit_bias", 1024, "{%s}", i -> "\"" + i + "\":1");
        refusesMany("allowed_token_ids", 1000, "[%s]", i -> "1");
    }

    private static void refusesMany(
            String field, int limit, String form, java.util.function.IntFunction<String> entry)
            throws Exception {
        String entries =
                IntStream.rangeClosed(0, limit).mapToObj(entry).collect(Collectors.joining(","));
        JsonNode error =
                TestServer.error(
                        400, server.chat("hi", "\"" + field + "\":" + form.formatted(entries)));
        assertEquals(field, error.get("param").stringValue());
        String message = error.get("message").stringValue();
        assertTrue(message.contains("at most " + limit), message);
        assertTrue(message.contains(String.valueOf(limit + 1)), message);
    }

    @Test
    void takesEveryParameter() throws Exception {
        String fields =
                """
                "n":2,"best_of":3,"seed":5,"temperature":0.5,"top_p":0.9,"top_k":40,"min_p":0.1,
                "typical_p":0.8,"top_n_sigma":1.5,"epsilon_cutoff":0.001,"eta_cutoff":0.002,
                "top_h":0.7,"xtc_probability":0.3,"xtc_threshold":0.2,"dynatemp_range":0.25,
                "dynatemp_exponent":1.5,"repetition_penalty":1.1,"frequency_penalty":0.2,
                "presence_penalty":-0.3,"dry_multiplier":0.8,"dry_base":1.5,
                "dry_allowed_length":3,"dry_penalty_last_n":64,"dry_sequence_breakers":["\\n"],
                "logit_bias":{"7":-1.5},"allowed_token_ids":[7,8],"bad_words":["x"],
                "logits_processors":["p"],"logprobs_mode":"processed_logprobs","mirostat":0,
                "samplers":["xtc","top_h","eta_cutoff","epsilon_cutoff","top_n_sigma","typ_p",
                "top_p","top_k","min_p","temperature","dry","penalties"],
                "max_tokens":9,"min_tokens":2,"stop":["s"],"stop_token_ids":[3],
                "include_stop_str_in_output":true,"ignore_eos":true,"skip_special_tokens":false,
                "use_beam_search":false,"length_penalty":1.0,"early_stopping":false
                """;
        SamplingParams expected =
                SamplingParams.builder()
                        .n(2)
                        .bestOf(3)
                        .seed(5L)
                        .temperature(0.5f)
                        .dynamicTemperature(new DynamicTemperature(0.25f, 1.5f))
                        .truncation(
                                new Truncation(40, 0.9f, 0.1f, 0.8f, 1.5f, 0.001f, 0.002f, 0.7f))
                        .xtc(new Xtc(0.3f, 0.2f))
                        .penalties(new Penalties(1.1f, 0.2f, -0.3f))
                        .dry(new Dry(0.8f, 1.5f, 3, 64, List.of("\n")))
                        .tokens(new TokenRules(Map.of(7, -1.5f), List.of(7, 8), List.of("x")))
                        .order(List.of(SamplingStep.values()).reversed())
                        .logitsProcessors(List.of("p"))
                        .maxTokens(9)
                        .minTokens(2)
                        .stop(List.of("s"))
                        .stopTokenIds(List.of(3))
                        .includeStop(true)
                        .ignoreEos(true)
                        .scoring(new Scoring(4, null, Scoring.Mode.PROCESSED))
                        .skipSpecialTokens(false)
                        .build();
        assertEquals(
                200,
                server.chat("hi", fields + ",\"logprobs\":true,\"top_logprobs\":4").statusCode());
        assertEquals(expected, seen());
        assertEquals(
                200, server.complete("\"prompt\":\"hi\",\"logprobs\":4," + fields).statusCode());
        assertEquals(expected, seen());
    }

    /** The model's own defaults give way to what a request cannot have beside them. */
    @Test
    void theModelsDefaultsGiveWay() throws Exception {
        assertEquals(200, server.chat("hi", "\"sampler_order\":[\"top_k\"]").statusCode());
        assertEquals(1, seen().temperature());
        assertEquals(200, server.chat("hi", "\"mirostat\":2,\"mirostat_tau\":3").statusCode());
        assertEquals(new Mirostat(2, 3, 0.1f), seen().mirostat());
        assertEquals(0.7f, seen().temperature());
    }
}
