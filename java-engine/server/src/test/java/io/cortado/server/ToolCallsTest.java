package io.cortado.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.api.Constraint;
import io.cortado.api.Constraint.StructuralTags;
import io.cortado.api.Reasoning;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeMap;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;

/** Reasoning and tool calls of a scripted engine, whole and streamed. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class ToolCallsTest {
    private static final String TOOLS =
            "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"parameters\":"
                    + "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\"}}}}},"
                    + "{\"type\":\"function\",\"function\":{\"name\":\"g\"}}]";
    private static final String CALLS =
            "say <think>|hm, |f?</th|ink>\\n\\n|Let me see.|\\n<tool|_call>\\n{\\\"name\\\": \\\"f\\\","
                    + " \\\"argu|ments\\\": {\\\"a\\\"|: 1}}|\\n</tool_call>\\n<tool_call>\\n"
                    + "{\\\"name\\\": \\\"g\\\", \\\"arguments\\\": {}}\\n</tool_call>";

    private TestServer server;
    private TestServer plain;

    @BeforeAll
    void start() throws Exception {
        ServerOptions options = ServerOptions.defaults().servedModelNames(List.of("m"));
        server =
                new TestServer(new FakeEngine(new Reasoning("<think>", "</think>"), true), options);
        plain = new TestServer(options);
    }

    @AfterAll
    void stop() throws Exception {
        server.close();
        plain.close();
    }

    private StructuralTags tags(String fields) throws Exception {
        assertEquals(200, server.chat("hi", fields).statusCode());
        Constraint asked = server.engine.seen.getLast().params().constraint();
        var after = assertInstanceOf(Constraint.AfterReasoning.class, asked);
        return assertInstanceOf(StructuralTags.class, after.answer());
    }

    @Test
    void aChoiceIsAConstraint() throws Exception {
        StructuralTags auto = tags(TOOLS);
        assertEquals(auto, tags(TOOLS + ",\"tool_choice\":\"auto\""));
        assertEquals(List.of("<tool_call>"), auto.triggers());
        assertEquals(2, auto.structures().size());
        assertEquals(
                "<tool_call>\n{\"name\": \"f\", \"arguments\": ",
                auto.structures().getFirst().begin());
        assertTrue(auto.structures().getFirst().schema().contains("\"integer\""));
        assertEquals("}\n</tool_call>", auto.structures().getFirst().end());
        assertFalse(auto.atLeastOne() || auto.stopAfterFirst());
        assertTrue(tags(TOOLS + ",\"parallel_tool_calls\":false").stopAfterFirst());
        StructuralTags required = tags(TOOLS + ",\"tool_choice\":\"required\"");
        assertTrue(required.atLeastOne() && !required.stopAfterFirst());
        StructuralTags named =
                tags(
                        TOOLS
                                + ",\"tool_choice\":{\"type\":\"function\","
                                + "\"function\":{\"name\":\"g\"}}");
        assertEquals(auto.structures().subList(1, 2), named.structures());
        assertTrue(named.atLeastOne() && named.stopAfterFirst());
        StructuralTags allowed =
                tags(
                        TOOLS
                                + ",\"tool_choice\":{\"type\":\"allowed_tools\",\"allowed_tools\":"
                                + "{\"mode\":\"required\",\"tools\":[{\"type\":\"function\","
                                + "\"function\":{\"name\":\"f\"}}]}}");
        assertEquals(auto.structures().subList(0, 1), allowed.structures());
        assertTrue(allowed.atLeastOne() && !allowed.stopAfterFirst());
        assertEquals(200, server.chat("hi", TOOLS + ",\"tool_choice\":\"none\"").statusCode());
        assertNull(server.engine.seen.getLast().params().constraint());
    }

    @Test
    void aFormatBeginsBehindTheReasoning() throws Exception {
        assertEquals(
                200,
                server.chat("hi", "\"response_format\":{\"type\":\"json_object\"}").statusCode());
        assertEquals(
                new Constraint.AfterReasoning(
                        new Constraint.JsonObject(), new Reasoning("<think>", "</think>")),
                server.engine.seen.getLast().params().constraint());
        try (TestServer whole =
                new TestServer(
                        new FakeEngine(new Reasoning("<think>", "</think>"), true),
                        ServerOptions.defaults()
                                .servedModelNames(List.of("m"))
                                .splitsReasoning(false))) {
            JsonNode message =
                    TestServer.json(
                                    whole.chat(
                                            "say <think>a</think>b",
                                            "\"response_format\":{\"type\":\"json_object\"}"))
                            .at("/choices/0/message");
            assertEquals("<think>a</think>b", message.get("content").stringValue());
            assertInstanceOf(
                    Constraint.JsonObject.class, whole.engine.seen.getLast().params().constraint());
        }
    }

    @Test
    void aMessageHoldsReasoningContentAndCalls() throws Exception {
        JsonNode choice = TestServer.json(server.chat(CALLS, TOOLS)).at("/choices/0");
        JsonNode message = choice.get("message");
        assertEquals("hm, f?", message.get("reasoning_content").stringValue());
        assertEquals("Let me see.", message.get("content").stringValue());
        JsonNode calls = message.get("tool_calls");
        assertEquals(2, calls.size());
        assertEquals("f", calls.at("/0/function/name").stringValue());
        assertEquals("{\"a\": 1}", calls.at("/0/function/arguments").stringValue());
        assertEquals("g", calls.at("/1/function/name").stringValue());
        assertEquals("function", calls.at("/1/type").stringValue());
        assertNotEquals(calls.at("/0/id").stringValue(), calls.at("/1/id").stringValue());
        assertEquals("tool_calls", choice.get("finish_reason").stringValue());
        JsonNode hidden =
                TestServer.json(server.chat(CALLS, TOOLS + ",\"include_reasoning\":false"));
        assertFalse(hidden.at("/choices/0/message").has("reasoning_content"));
    }

    /** As in the whole answer; each delta of one kind, and a call's head before its arguments. */
    @Test
    void aStreamJoinsToTheSame() throws Exception {
        List<JsonNode> chunks =
                TestServer.chunks(
                        server.chat(CALLS, TOOLS + ",\"stream\":true,\"logprobs\":true,\"n\":2"));
        for (int index = 0; index < 2; index++) {
            StringBuilder reasoning = new StringBuilder();
            StringBuilder content = new StringBuilder();
            var arguments = new TreeMap<Integer, String>();
            List<String> reasons = new ArrayList<>();
            int scored = 0;
            for (JsonNode chunk : chunks) {
                JsonNode choice = chunk.at("/choices/0");
                if (choice.path("index").asInt(-1) != index) {
                    continue;
                }
                JsonNode delta = choice.get("delta");
                scored += choice.at("/logprobs/content").size();
                assertTrue(delta.size() - (delta.has("role") ? 1 : 0) <= 1, delta.toString());
                reasoning.append(delta.path("reasoning_content").asString(""));
                content.append(delta.path("content").asString(""));
                for (JsonNode call : delta.path("tool_calls")) {
                    int at = call.get("index").intValue();
                    assertEquals(call.has("id"), call.at("/function").has("name"));
                    assertEquals(call.has("id"), !arguments.containsKey(at), call.toString());
                    arguments.merge(
                            at, call.at("/function/arguments").stringValue(), String::concat);
                }
                if (choice.get("finish_reason").isString()) {
                    reasons.add(choice.get("finish_reason").stringValue());
                }
            }
            assertEquals("hm, f?", reasoning.toString());
            assertEquals("Let me see.", content.toString());
            assertEquals("{0={\"a\": 1}, 1={}}", arguments.toString());
            assertEquals(List.of("tool_calls"), reasons);
            assertEquals(10, scored);
        }
    }

    @Test
    void whatIsCutIsNoCallThatHasEnded() throws Exception {
        JsonNode choice =
                TestServer.json(server.chat(CALLS, TOOLS + ",\"max_tokens\":8")).at("/choices/0");
        assertEquals("length", choice.get("finish_reason").stringValue());
        assertEquals("{\"a\"", choice.at("/message/tool_calls/0/function/arguments").stringValue());
        choice = TestServer.json(server.chat(CALLS, TOOLS + ",\"max_tokens\":7")).at("/choices/0");
        assertFalse(choice.get("message").has("tool_calls"), choice.toString());
    }

    @Test
    void aNamedCallEndsByStopAndOtherTextIsText() throws Exception {
        String named = ",\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":\"f\"}}";
        JsonNode choice = TestServer.json(server.chat(CALLS, TOOLS + named)).at("/choices/0");
        assertEquals("stop", choice.get("finish_reason").stringValue());
        assertEquals(2, choice.at("/message/tool_calls").size());
        JsonNode none =
                TestServer.json(server.chat(CALLS, TOOLS + ",\"tool_choice\":\"none\""))
                        .at("/choices/0");
        assertEquals("stop", none.get("finish_reason").stringValue());
        assertFalse(none.get("message").has("tool_calls"));
        assertTrue(none.at("/message/content").stringValue().contains("<tool_call>"));
        JsonNode only =
                TestServer.json(
                                server.chat(
                                        CALLS.replace("Let me see.|\\n", ""),
                                        TOOLS + ",\"tool_choice\":\"required\""))
                        .at("/choices/0");
        assertTrue(only.at("/message/content").isNull(), only.toString());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "tool_choice | \"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":\"x\"}}",
                "tool_choice | \"tool_choice\":{\"type\":\"custom\"}",
                "tool_choice | \"tool_choice\":{\"type\":\"allowed_tools\",\"allowed_tools\":{\"tools\":[]}}",
                "tool_choice | \"tool_choice\":7",
                "parallel_tool_calls | \"parallel_tool_calls\":1",
                "response_format | \"response_format\":{\"type\":\"json_object\"}",
            })
    void refusesAChoiceByItsPath(String field, String more) throws Exception {
        JsonNode error = TestServer.error(400, server.chat("hi", TOOLS + "," + more));
        assertTrue(error.get("param").stringValue().startsWith(field), error.toString());
    }

    @Test
    void refusesToolsThatCannotBeRead() throws Exception {
        JsonNode error = TestServer.error(400, plain.chat("hi", TOOLS));
        assertEquals("tools", error.get("param").stringValue());
        assertTrue(error.get("message").stringValue().contains("Hermes"));
        String tool = "{\"type\":\"function\",\"function\":{\"name\":\"f\"}}";
        error = TestServer.error(400, server.chat("hi", "\"tools\":[" + tool + "," + tool + "]"));
        assertEquals("tools[1].function.name", error.get("param").stringValue());
        String array = tool.replace("\"f\"", "\"f\",\"parameters\":{\"type\":\"array\"}");
        error = TestServer.error(400, server.chat("hi", "\"tools\":[" + array + "]"));
        assertEquals("tools[0].function.parameters.type", error.get("param").stringValue());
    }
}
