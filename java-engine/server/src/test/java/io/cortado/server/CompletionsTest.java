package io.cortado.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class CompletionsTest {
    private TestServer server;

    @BeforeAll
    void start() throws Exception {
        server =
                new TestServer(
                        ServerOptions.defaults()
                                .servedModelNames(List.of("m"))
                                .limits(TestServer.fast()));
    }

    @AfterAll
    void stop() {
        server.close();
    }

    @Test
    void answersInTheEnvelopeOfTheApi() throws Exception {
        JsonNode body = TestServer.json(server.complete("\"prompt\":\"once\""));
        assertTrue(body.get("id").stringValue().startsWith("cmpl-"));
        assertEquals("text_completion", body.get("object").stringValue());
        assertEquals("Hello there, wörld 🙂.", body.at("/choices/0/text").stringValue());
        assertEquals("stop", body.at("/choices/0/finish_reason").stringValue());
        assertTrue(body.at("/choices/0/logprobs").isNull());
        assertEquals(4, body.at("/usage/prompt_tokens").intValue());
    }

    @Test
    void streamsTheSameObjects() throws Exception {
        List<JsonNode> chunks =
                TestServer.chunks(
                        server.complete(
                                "\"prompt\":\"once\",\"stream\":true,\"stream_options\":{\"include_usage\":true}"));
        StringBuilder text = new StringBuilder();
        for (JsonNode chunk : chunks) {
            assertEquals("text_completion", chunk.get("object").stringValue());
            text.append(chunk.at("/choices/0/text").asString(""));
        }
        assertEquals("Hello there, wörld 🙂.", text.toString());
        assertEquals(0, chunks.getLast().get("choices").size());
        assertEquals(6, chunks.getLast().at("/usage/completion_tokens").intValue());
    }

    @ParameterizedTest
    @ValueSource(strings = {"\"a\"", "[\"a\"]", "[5,6,7.0]", "[[5,6],[7]]", "[\"a\",[5]]"})
    void takesPromptsInEveryForm(String prompt) throws Exception {
        assertEquals(200, server.complete("\"prompt\":" + prompt).statusCode());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "\"\"",
                "[]",
                "[\"\"]",
                "[[]]",
                "[-1]",
                "[1000]",
                "[1.5]",
                "[9223372036854775808]",
                "[1,\"a\"]",
                "7",
                "{}",
                "null",
                "[null]",
                "[\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\"]"
            })
    void refusesOtherPrompts(String prompt) throws Exception {
        JsonNode error = TestServer.error(400, server.complete("\"prompt\":" + prompt));
        assertEquals("prompt", error.get("param").stringValue());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "\"max_tokens\":0",
                "\"logprobs\":21",
                "\"logprobs\":\"1\"",
                "\"logprobs\":true",
                "\"suffix\":\"x\"",
                "\"best_of\":2,\"stream\":true",
                "\"stop\":\"\""
            })
    void refusesWhatIsWrong(String field) throws Exception {
        TestServer.error(400, server.complete("\"prompt\":\"a\"," + field));
    }

    @Test
    void numbersChoicesByPromptThenByAnswer() throws Exception {
        JsonNode body = TestServer.json(server.complete("\"prompt\":[\"a\",\"b\"],\"n\":2"));
        assertEquals(4, body.get("choices").size());
        assertEquals(3, body.at("/choices/3/index").intValue());
        assertEquals(2, body.at("/usage/prompt_tokens").intValue());
        assertEquals(24, body.at("/usage/completion_tokens").intValue());
        List<JsonNode> chunks =
                TestServer.chunks(
                        server.complete("\"prompt\":[\"a\",\"b\"],\"n\":2,\"stream\":true"));
        assertEquals(
                4,
                chunks.stream().filter(c -> c.at("/choices/0/finish_reason").isString()).count());
    }

    @Test
    void echoesThePromptWithItsLogprobs() throws Exception {
        JsonNode choice =
                TestServer.json(server.complete("\"prompt\":\"ab\",\"echo\":true,\"logprobs\":1"))
                        .at("/choices/0");
        assertEquals("abHello there, wörld 🙂.", choice.get("text").stringValue());
        JsonNode logprobs = choice.get("logprobs");
        assertEquals(8, logprobs.get("tokens").size());
        assertTrue(logprobs.at("/token_logprobs/0").isNull());
        assertTrue(logprobs.at("/top_logprobs/0").isNull());
        assertEquals(8, logprobs.get("text_offset").size());
        JsonNode only =
                TestServer.json(
                        server.complete("\"prompt\":\"ab\",\"echo\":true,\"max_tokens\":0"));
        assertEquals("ab", only.at("/choices/0/text").stringValue());
        assertEquals("length", only.at("/choices/0/finish_reason").stringValue());
    }
}
