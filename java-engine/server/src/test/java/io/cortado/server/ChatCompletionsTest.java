package io.cortado.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.api.Prompt;
import java.net.http.HttpResponse;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class ChatCompletionsTest {
    private static final String TEXT = "Hello there, wörld 🙂.";

    private TestServer server;

    @BeforeAll
    void start() throws Exception {
        server = TestServer.start();
    }

    @AfterAll
    void stop() {
        server.close();
    }

    @Test
    void answersInTheEnvelopeOfTheApi() throws Exception {
        HttpResponse<String> response = server.chat("hi", "");
        JsonNode body = TestServer.json(response);
        assertEquals("application/json", response.headers().firstValue("content-type").get());
        assertTrue(response.headers().firstValue("x-request-id").get().startsWith("req-"));
        assertTrue(body.get("id").stringValue().startsWith("chatcmpl-"));
        assertEquals("chat.completion", body.get("object").stringValue());
        assertEquals("m", body.get("model").stringValue());
        long age = System.currentTimeMillis() / 1000 - body.get("created").longValue();
        assertTrue(age >= 0 && age < 10);
        JsonNode choice = body.get("choices").get(0);
        assertEquals("stop", choice.get("finish_reason").stringValue());
        assertTrue(choice.get("logprobs").isNull());
        assertEquals("assistant", choice.at("/message/role").stringValue());
        assertEquals(TEXT, choice.at("/message/content").stringValue());
        assertTrue(choice.at("/message/refusal").isNull());
        assertFalse(choice.get("message").has("tool_calls"));
        JsonNode usage = body.get("usage");
        assertEquals(
                usage.get("total_tokens").intValue(),
                usage.get("prompt_tokens").intValue() + usage.get("completion_tokens").intValue());
        assertEquals(1, usage.at("/prompt_tokens_details/cached_tokens").intValue());
    }

    @Test
    void streamsTheRoleFirstThenTextThenOneFinish() throws Exception {
        HttpResponse<String> response = server.chat("hi", "\"stream\":true");
        assertEquals(
                "text/event-stream; charset=utf-8",
                response.headers().firstValue("content-type").get());
        assertEquals("no-cache", response.headers().firstValue("cache-control").get());
        assertEquals("no", response.headers().firstValue("x-accel-buffering").get());
        List<JsonNode> chunks = TestServer.chunks(response);
        StringBuilder text = new StringBuilder();
        for (JsonNode chunk : chunks) {
            assertEquals("chat.completion.chunk", chunk.get("object").stringValue());
            assertEquals(chunks.getFirst().get("id"), chunk.get("id"));
            assertEquals(chunks.getFirst().get("created"), chunk.get("created"));
            assertFalse(chunk.has("usage"));
            assertTrue(chunk.get("choices").get(0).has("finish_reason"));
            text.append(chunk.at("/choices/0/delta/content").asString(""));
        }
        assertEquals("assistant", chunks.get(0).at("/choices/0/delta/role").stringValue());
        assertEquals("", chunks.get(0).at("/choices/0/delta/content").stringValue());
        assertEquals(TEXT, text.toString());
        assertEquals("stop", chunks.getLast().at("/choices/0/finish_reason").stringValue());
        assertEquals(
                1,
                chunks.stream().filter(c -> c.at("/choices/0/finish_reason").isString()).count());
    }

    @Test
    void sendsUsageOnlyOnALastChunkWithoutChoices() throws Exception {
        List<JsonNode> chunks =
                TestServer.chunks(
                        server.chat(
                                "hi",
                                "\"stream\":true,\"stream_options\":{\"include_usage\":true,\"include_obfuscation\":false}"));
        JsonNode last = chunks.getLast();
        assertEquals(0, last.get("choices").size());
        assertEquals(6, last.at("/usage/completion_tokens").intValue());
        assertEquals(1, chunks.stream().filter(c -> c.has("usage")).count());
    }

    @Test
    void opensAllChoicesBeforeAnyFinishes() throws Exception {
        List<JsonNode> chunks = TestServer.chunks(server.chat("hi", "\"stream\":true,\"n\":3"));
        List<Integer> roles = new ArrayList<>();
        for (JsonNode chunk : chunks.subList(0, 3)) {
            assertTrue(chunk.at("/choices/0/delta").has("role"));
            roles.add(chunk.at("/choices/0/index").intValue());
        }
        assertEquals(List.of(0, 1, 2), roles);
        JsonNode whole = TestServer.json(server.chat("hi", "\"n\":3"));
        assertEquals(3, whole.get("choices").size());
        assertEquals(2, whole.at("/choices/2/index").intValue());
        assertEquals(18, whole.at("/usage/completion_tokens").intValue());
    }

    @Test
    void givesLogprobsWithoutTheEndTokenAndWithoutInfinity() throws Exception {
        JsonNode whole = TestServer.json(server.chat("hi", "\"logprobs\":true,\"top_logprobs\":2"));
        JsonNode content = whole.at("/choices/0/logprobs/content");
        assertEquals(6, content.size());
        assertEquals("Hello", content.get(0).get("token").stringValue());
        assertEquals('H', content.get(0).at("/bytes/0").intValue());
        assertEquals(2, content.get(0).get("top_logprobs").size());
        assertEquals(-9999.0, content.get(0).at("/top_logprobs/1/logprob").doubleValue());
        assertTrue(whole.at("/choices/0/logprobs/refusal").isNull());
        JsonNode none = TestServer.json(server.chat("hi", "\"logprobs\":true,\"top_logprobs\":0"));
        assertEquals(0, none.at("/choices/0/logprobs/content/0/top_logprobs").size());
        List<JsonNode> chunks =
                TestServer.chunks(server.chat("hi", "\"logprobs\":true,\"stream\":true"));
        assertEquals(
                6, chunks.stream().mapToInt(c -> c.at("/choices/0/logprobs/content").size()).sum());
    }

    @Test
    void cutsAtMaxCompletionTokensBeforeMaxTokens() throws Exception {
        JsonNode body =
                TestServer.json(
                        server.chat("hi", "\"max_tokens\":5,\"max_completion_tokens\":2.0"));
        assertEquals("length", body.at("/choices/0/finish_reason").stringValue());
        assertEquals("Hello there", body.at("/choices/0/message/content").stringValue());
    }

    @Test
    void saysWhenTheContextIsTooShort() throws Exception {
        JsonNode error = TestServer.error(400, server.chat("hi", "\"max_tokens\":5000"));
        assertEquals("context_length_exceeded", error.get("code").stringValue());
        assertTrue(error.get("message").stringValue().contains("512"));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "temperature | 2.1",
                "temperature | -0.1",
                "temperature | 1e999",
                "temperature | \"1\"",
                "top_p | 0",
                "top_p | 1.1",
                "top_k | -2",
                "top_k | 1.5",
                "min_p | 2",
                "seed | 9223372036854775808",
                "seed | \"7\"",
                "n | 0",
                "n | -1",
                "n | 17",
                "n | 2147483648",
                "n | 9223372036854775808",
                "n | 1e308",
                "n | true",
                "max_tokens | 0",
                "max_completion_tokens | 0",
                "max_tokens | \"5\"",
                "min_tokens | -1",
                "stop | \"\"",
                "stop | [\"\"]",
                "stop | [\"a\",\"b\",\"c\",\"d\",\"e\"]",
                "stop | [1]",
                "stop | {}",
                "stop_token_ids | [1000]",
                "stop_token_ids | [-1]",
                "logit_bias | {\"1000\":1}",
                "logit_bias | {\"x\":1}",
                "logit_bias | {\"-1\":1}",
                "logit_bias | {\"1\":101}",
                "logit_bias | {\"1\":\"1\"}",
                "logit_bias | []",
                "top_logprobs | 21",
                "top_logprobs | 5",
                "logprobs | 1",
                "prompt_logprobs | -1",
                "stream | \"true\"",
                "stream_options | {}",
                "stream_options | {\"include_usage\":null}",
                "presence_penalty | 3",
                "response_format | {}",
                "response_format | {\"type\":\"json_schema\"}",
                "response_format | {\"type\":\"json_schema\",\"json_schema\":{\"name\":\"a\"}}",
                "response_format | {\"type\":\"json_schema\",\"json_schema\":{\"schema\":7}}",
                "response_format | {\"type\":\"structural_tag\",\"format\":{}}",
                "tool_choice | \"required\"",
                "tool_choice | {\"type\":\"function\",\"function\":{\"name\":\"f\"}}",
                "tool_choice | \"sometimes\"",
                "tools | [{\"type\":\"function\",\"function\":{\"name\":\"f\"}}]",
                "tools | {}",
                "store | true",
                "prediction | {}",
                "audio | {}",
                "modalities | [\"audio\"]",
                "web_search_options | {}",
                "functions | []",
                "function_call | \"auto\"",
                "guided_json | 7",
                "guided_regex | {}",
                "guided_choice | []",
                "guided_choice | [7]",
                "guided_grammar | 7",
                "guided_decoding_backend | \"any\"",
                "grammar | {}",
                "json_schema | []",
                "structured_outputs | {}",
                "structured_outputs | {\"regex\":\"a\",\"choice\":[\"a\"]}",
                "structured_outputs | {\"structural_tag\":\"{}\"}",
                "structured_outputs | {\"json_object\":true,\"whitespace_pattern\":\" \"}",
                "structured_outputs | {\"json\":{},\"disable_any_whitespace\":1}",
                "structured_outputs | {\"regex\":\"a\",\"disable_any_whitespace\":true}",
                "chat_template | \"{{ messages }}\"",
                "chat_template | 7",
                "documents | {}",
                "documents | [7]",
                "best_of | 0",
                "priority | 1",
                "priority | 3000000000",
                "cache_salt | \"\"",
                "cache_salt | 7",
                "cache_salt | \"a\\u0000b\"",
                "user | 7",
                "slo_class | \"chat\"",
                "ttft_ms | 0",
                "ttft_ms | 1.5",
                "tpot_ms | 31536000001",
                "tpot_ms | \"9\"",
                "cost | 1",
                "truncate_prompt_tokens | 3",
                "suffix | \"x\"",
                "echo | true",
                "reasoning_effort | \"huge\"",
                "verbosity | 1",
                "chat_template_kwargs | {\"messages\":[]}",
                "chat_template_kwargs | {\"tokenize\":true}",
                "chat_template_kwargs | {\"chat_template\":\"x\"}",
                "chat_template_kwargs | []",
            })
    void refusesAFieldByItsName(String field, String value) throws Exception {
        JsonNode error = TestServer.error(400, server.chat("hi", "\"" + field + "\":" + value));
        assertTrue(error.get("param").stringValue().startsWith(field), error.toString());
        assertEquals("invalid_request_error", error.get("type").stringValue());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "\"temperature\":null,\"top_p\":null,\"n\":null,\"stop\":null,\"seed\":null,\"tools\":null,\"tool_choice\":null,\"response_format\":null,\"stream\":null,\"stream_options\":null,\"logit_bias\":null",
                "\"n\":1.0,\"max_tokens\":3.0,\"top_k\":-1,\"seed\":-5",
                "\"response_format\":{\"type\":\"text\"},\"tools\":[]",
                "\"user\":\"u\",\"safety_identifier\":\"s\",\"metadata\":{\"a\":\"b\"},\"service_tier\":\"auto\",\"prompt_cache_key\":\"k\",\"prompt_cache_retention\":\"24h\"",
                "\"nobody_knows_this\":{\"a\":[1]}",
                "\"presence_penalty\":0,\"frequency_penalty\":0.0,\"repetition_penalty\":1,\"store\":false,\"best_of\":1,\"priority\":0,\"modalities\":[\"text\"]",
                "\"temperature\":0,\"top_p\":1,\"min_p\":0.1,\"min_tokens\":1,\"ignore_eos\":true,\"stop\":[\"a\",\"b\",\"c\",\"d\"],\"stop_token_ids\":[5],\"include_stop_str_in_output\":true,\"skip_special_tokens\":false,\"logit_bias\":{\"999\":-100,\"0\":100}",
                "\"tool_choice\":\"none\",\"parallel_tool_calls\":false,\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"parameters\":{\"type\":7,\"pattern\":[]}}}]",
                "\"reasoning_effort\":\"low\",\"verbosity\":\"high\",\"chat_template_kwargs\":{\"enable_thinking\":false}",
                "\"add_generation_prompt\":false,\"continue_final_message\":true",
            })
    void takesWhatIsRight(String fields) throws Exception {
        assertEquals(200, server.chat("hi", fields).statusCode());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{\"model\":\"m\"}",
                "{\"model\":\"m\",\"messages\":[]}",
                "{\"model\":\"m\",\"messages\":{}}",
                "{\"model\":\"m\",\"messages\":null}",
                "{\"model\":\"m\",\"messages\":[1]}",
                "{\"model\":\"m\",\"messages\":[{\"content\":\"x\"}]}",
                "{\"model\":\"m\",\"messages\":[{\"role\":\"king\",\"content\":\"x\"}]}",
                "{\"model\":\"m\",\"messages\":[{\"role\":\"user\"}]}",
                "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":7}]}",
                "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"http://127.0.0.1\"}}]}]}",
                "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"input_audio\"}]}]}",
                "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"file\"}]}]}",
                "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"x\"}]}]}",
            })
    void refusesMessagesByTheirPath(String body) throws Exception {
        JsonNode error = TestServer.error(400, server.post("/v1/chat/completions", body));
        assertTrue(error.get("param").stringValue().startsWith("messages"), error.toString());
    }

    @Test
    void handsMessagesToTheTemplateUnchanged() throws Exception {
        String body =
                """
                {"model":"org/m","messages":[
                 {"role":"developer","content":"  be {{ 7*7 }} brief \\n"},
                 {"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}],"name":"bob"},
                 {"role":"assistant","content":null,"tool_calls":[
                   {"id":"c1","type":"function","function":{"name":"f","arguments":"{\\"x\\":1}"}},
                   {"id":"c2","type":"function","function":{"name":"g","arguments":"not json"}}]},
                 {"role":"tool","tool_call_id":"c1","content":"42"},
                 {"role":"assistant","content":"ok","reasoning_content":"hm"},
                 {"role":"user","content":"go"}],
                 "chat_template_kwargs":{"enable_thinking":false},"reasoning_effort":"low"}\
                """;
        assertEquals(200, server.post("/v1/chat/completions", body).statusCode());
        Prompt.Chat chat = (Prompt.Chat) server.engine.seen.getLast().prompt();
        assertEquals("system", chat.messages().get(0).get("role"));
        assertEquals("  be {{ 7*7 }} brief \n", chat.messages().get(0).get("content"));
        assertEquals("a\nb", chat.messages().get(1).get("content"));
        assertEquals("bob", chat.messages().get(1).get("name"));
        String calls = String.valueOf(chat.messages().get(2).get("tool_calls"));
        assertTrue(calls.contains("arguments={x=1}"), calls);
        assertTrue(calls.contains("arguments=not json"), calls);
        assertEquals("c1", chat.messages().get(3).get("tool_call_id"));
        assertEquals("hm", chat.messages().get(4).get("reasoning_content"));
        assertEquals(false, chat.templateVariables().get("enable_thinking"));
        assertEquals("low", chat.templateVariables().get("reasoning_effort"));
        assertTrue(chat.addGenerationPrompt());
    }

    @Test
    void handsDocumentsToTheTemplate() throws Exception {
        assertEquals(
                200,
                server.chat("hi", "\"documents\":[{\"title\":\"a\",\"text\":\"b\"}]").statusCode());
        Prompt.Chat chat = (Prompt.Chat) server.engine.seen.getLast().prompt();
        assertEquals(List.of(Map.of("title", "a", "text", "b")), chat.documents());
        assertNull(chat.template());
    }

    @Test
    void takesATemplateOfARequestOnlyWhereTrusted() throws Exception {
        try (TestServer trusting =
                new TestServer(
                        ServerOptions.defaults()
                                .servedModelNames(List.of("m", "org/m"))
                                .trustRequestChatTemplate(true))) {
            assertEquals(
                    200, trusting.chat("hi", "\"chat_template\":\"{{ messages }}\"").statusCode());
            Prompt.Chat chat = (Prompt.Chat) trusting.engine.seen.getLast().prompt();
            assertEquals("{{ messages }}", chat.template());
        }
    }

    @Test
    void answersAnUnknownModelWith404() throws Exception {
        JsonNode error =
                TestServer.error(
                        404,
                        server.post(
                                "/v1/chat/completions",
                                "{\"model\":\"x\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}"));
        assertEquals("model_not_found", error.get("code").stringValue());
    }

    @Test
    void failsBeforeTheStreamWithAStatusAndLaterWithAnEvent() throws Exception {
        HttpResponse<String> full = server.chat("full", "\"stream\":true");
        assertEquals("queue_full", TestServer.error(429, full).get("code").stringValue());
        assertEquals("1", full.headers().firstValue("retry-after").get());
        HttpResponse<String> broken = server.chat("broken", "\"stream\":true");
        JsonNode error = TestServer.error(500, broken);
        assertFalse(error.toString().contains("secret"));
        assertEquals("false", broken.headers().firstValue("x-should-retry").get());
        TestServer.error(500, server.chat("midway", ""));
        HttpResponse<String> midway = server.chat("midway", "\"stream\":true");
        List<JsonNode> chunks = TestServer.chunks(midway);
        assertTrue(chunks.getLast().has("error"));
        assertFalse(midway.body().contains("[DONE]"));
        assertFalse(midway.body().contains("secret"));
        assertTrue(chunks.stream().noneMatch(c -> c.at("/choices/0/finish_reason").isString()));
        assertEquals(
                "not_finite",
                TestServer.error(500, server.chat("nan", "")).get("code").stringValue());
    }

    @Test
    void streamsIdsAndPromptLogprobsWhereAskedFor() throws Exception {
        JsonNode whole =
                TestServer.json(
                        server.chat("hi", "\"return_token_ids\":true,\"prompt_logprobs\":1"));
        assertTrue(whole.get("prompt_logprobs").get(0).isNull());
        assertEquals(whole.get("prompt_token_ids").size(), whole.get("prompt_logprobs").size());
        assertEquals(7, whole.at("/choices/0/token_ids").size());
        JsonNode error =
                TestServer.error(400, server.chat("hi", "\"stream\":true,\"prompt_logprobs\":1"));
        assertEquals("prompt_logprobs", error.get("param").stringValue());
    }
}
