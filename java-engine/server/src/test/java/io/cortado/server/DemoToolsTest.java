package io.cortado.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.openai.client.OpenAIClient;
import com.openai.client.okhttp.OpenAIOkHttpClient;
import com.openai.core.JsonValue;
import com.openai.core.http.StreamResponse;
import com.openai.helpers.ChatCompletionAccumulator;
import com.openai.models.chat.completions.ChatCompletion;
import com.openai.models.chat.completions.ChatCompletionChunk;
import com.openai.models.chat.completions.ChatCompletionCreateParams;
import io.cortado.api.Engine;
import io.cortado.api.EngineOptions;
import io.cortado.demo.DemoModel;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** Tools of the demo model, which was trained to call them. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class DemoToolsTest {
    private static final String TOOLS =
            "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"get_weather\","
                    + "\"description\":\"Get the weather of a city\",\"parameters\":{\"type\":"
                    + "\"object\",\"properties\":{\"city\":{\"type\":\"string\",\"maxLength\":20}},"
                    + "\"required\":[\"city\"],\"additionalProperties\":false}}},"
                    + "{\"type\":\"function\",\"function\":{\"name\":\"add\",\"parameters\":{"
                    + "\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\","
                    + "\"minimum\":0,\"maximum\":99},\"b\":{\"type\":\"integer\",\"minimum\":0,"
                    + "\"maximum\":99}},\"required\":[\"a\",\"b\"],"
                    + "\"additionalProperties\":false}}}]";

    private final HttpClient client = HttpClient.newHttpClient();
    private @Nullable Engine engine;
    private @Nullable Server server;

    @BeforeAll
    void start(@TempDir Path folder) throws Exception {
        engine = Engine.open(DemoModel.unpack(folder), EngineOptions.defaults());
        server =
                Server.start(
                        engine,
                        ServerOptions.defaults()
                                .listen("127.0.0.1", 0)
                                .servedModelNames(List.of("m"))
                                .accessLog(false));
    }

    @AfterAll
    void stop() {
        if (server != null) {
            server.close();
        }
        if (engine != null) {
            engine.close();
        }
    }

    private HttpResponse<String> ask(String more) throws Exception {
        int port = server == null ? 0 : server.port();
        String body =
                TestServer.chatBody(
                        "What is the weather in Paris?", "\"max_tokens\":300," + TOOLS + more);
        return client.send(
                HttpRequest.newBuilder(
                                URI.create("http://127.0.0.1:" + port + "/v1/chat/completions"))
                        .header("content-type", "application/json")
                        .POST(HttpRequest.BodyPublishers.ofString(body))
                        .build(),
                HttpResponse.BodyHandlers.ofString());
    }

    /** However the model is driven, what it calls is a tool with arguments of its schema. */
    private static void assertCalls(JsonNode calls) {
        for (JsonNode call : calls) {
            JsonNode arguments =
                    TestServer.MAPPER.readTree(call.at("/function/arguments").stringValue());
            switch (call.at("/function/name").stringValue()) {
                case "get_weather" -> {
                    assertEquals(1, arguments.size());
                    assertTrue(arguments.get("city").stringValue().length() <= 20);
                }
                case "add" -> {
                    assertEquals(2, arguments.size());
                    assertTrue(arguments.get("a").intValue() <= 99);
                    assertTrue(arguments.get("b").intValue() <= 99);
                }
                default -> throw new AssertionError(call.toString());
            }
        }
    }

    @Test
    void callsAToolByItself() throws Exception {
        HttpResponse<String> response = ask(",\"temperature\":0");
        assertEquals(200, response.statusCode(), response.body());
        JsonNode choice = TestServer.json(response).at("/choices/0");
        assertEquals("tool_calls", choice.get("finish_reason").stringValue(), response.body());
        JsonNode calls = choice.at("/message/tool_calls");
        assertEquals("get_weather", calls.at("/0/function/name").stringValue());
        assertTrue(calls.at("/0/function/arguments").stringValue().contains("Paris"));
        assertCalls(calls);
    }

    @Test
    void requiredCallsAreOfTheirSchemas() throws Exception {
        for (String choice :
                List.of(
                        "\"required\"",
                        "{\"type\":\"function\",\"function\":{\"name\":\"add\"}}")) {
            HttpResponse<String> response =
                    ask(
                            ",\"temperature\":1.5,\"seed\":3,\"n\":8,\"parallel_tool_calls\":false,"
                                    + "\"tool_choice\":"
                                    + choice);
            assertEquals(200, response.statusCode(), response.body());
            for (JsonNode each : TestServer.json(response).get("choices")) {
                assertFalse(each.get("finish_reason").stringValue().equals("length"));
                assertEquals(1, each.at("/message/tool_calls").size(), each.toString());
                assertTrue(each.at("/message/content").isNull(), each.toString());
                assertCalls(each.at("/message/tool_calls"));
                if (choice.contains("add")) {
                    assertEquals(
                            "add", each.at("/message/tool_calls/0/function/name").stringValue());
                }
            }
        }
    }

    @Test
    void aStreamIsTheWholeAnswer() throws Exception {
        String more = ",\"temperature\":1.2,\"seed\":5,\"tool_choice\":\"required\"";
        JsonNode whole = TestServer.json(ask(more)).at("/choices/0/message");
        StringBuilder arguments = new StringBuilder();
        StringBuilder names = new StringBuilder();
        StringBuilder content = new StringBuilder();
        for (JsonNode chunk : TestServer.chunks(ask(more + ",\"stream\":true"))) {
            JsonNode delta = chunk.at("/choices/0/delta");
            content.append(delta.path("content").asString(""));
            for (JsonNode call : delta.path("tool_calls")) {
                names.append(call.at("/function/name").asString(""));
                arguments.append(call.at("/function/arguments").stringValue());
            }
        }
        StringBuilder expectedArguments = new StringBuilder();
        StringBuilder expectedNames = new StringBuilder();
        for (JsonNode call : whole.get("tool_calls")) {
            expectedNames.append(call.at("/function/name").stringValue());
            expectedArguments.append(call.at("/function/arguments").stringValue());
        }
        assertEquals(expectedNames.toString(), names.toString());
        assertEquals(expectedArguments.toString(), arguments.toString());
        assertEquals(whole.get("content").asString(""), content.toString());
    }

    /** Its accumulator is strict about deltas. */
    @Test
    void theJavaClientReadsAStreamedCall() {
        OpenAIClient official =
                OpenAIOkHttpClient.builder()
                        .baseUrl("http://127.0.0.1:" + (server == null ? 0 : server.port()) + "/v1")
                        .apiKey("unused")
                        .maxRetries(0)
                        .build();
        try {
            Object tools =
                    TestServer.MAPPER.treeToValue(
                            TestServer.MAPPER.readTree("{" + TOOLS + "}").get("tools"), List.class);
            ChatCompletionCreateParams params =
                    ChatCompletionCreateParams.builder()
                            .model("m")
                            .addUserMessage("What is the weather in Paris?")
                            .temperature(0)
                            .putAdditionalBodyProperty("tools", JsonValue.from(tools))
                            .build();
            ChatCompletionAccumulator all = ChatCompletionAccumulator.create();
            try (StreamResponse<ChatCompletionChunk> stream =
                    official.chat().completions().createStreaming(params)) {
                stream.stream().forEach(all::accumulate);
            }
            ChatCompletion.Choice choice = all.chatCompletion().choices().getFirst();
            assertEquals(ChatCompletion.Choice.FinishReason.TOOL_CALLS, choice.finishReason());
            var function =
                    choice.message().toolCalls().orElseThrow().getFirst().asFunction().function();
            assertEquals("get_weather", function.name());
            assertTrue(function.arguments().contains("Paris"), function.arguments());
        } finally {
            official.close();
        }
    }

    @Test
    void refusesASchemaThatCannotBeEnforced() throws Exception {
        int port = server == null ? 0 : server.port();
        String body =
                TestServer.chatBody(
                        "hi",
                        "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\","
                                + "\"parameters\":{\"type\":\"object\",\"properties\":{\"a\":{"
                                + "\"type\":7}}}}}]");
        HttpResponse<String> response =
                client.send(
                        HttpRequest.newBuilder(
                                        URI.create(
                                                "http://127.0.0.1:"
                                                        + port
                                                        + "/v1/chat/completions"))
                                .header("content-type", "application/json")
                                .POST(HttpRequest.BodyPublishers.ofString(body))
                                .build(),
                        HttpResponse.BodyHandlers.ofString());
        JsonNode error = TestServer.error(400, response);
        assertEquals("tools", error.get("param").stringValue());
        assertTrue(
                error.get("message").stringValue().contains("/properties/a/type"),
                error.toString());
    }
}
