package io.cortado.server;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.api.EmbeddingParams;
import io.cortado.api.Pooling;
import io.cortado.api.Prompt;
import io.cortado.api.Scheduling;
import java.net.Socket;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;

/** {@code /v1/embeddings} over a scripted engine. */
class EmbeddingsTest {
    private static final String PATH = "/v1/embeddings";

    private static HttpResponse<String> embed(TestServer server, String fields) throws Exception {
        return server.post(PATH, "{\"model\":\"m\"," + fields + "}");
    }

    private static JsonNode answer(HttpResponse<String> response) {
        assertEquals(200, response.statusCode(), response.body());
        return TestServer.json(response);
    }

    @Test
    void answersInOpenAisShape() throws Exception {
        try (TestServer server = TestServer.start()) {
            JsonNode answer = answer(embed(server, "\"input\":[\"abc\",\"defgh\"]"));
            assertEquals(
                    List.of("object", "data", "model", "usage"),
                    new ArrayList<>(answer.propertyNames()));
            assertEquals("list", answer.get("object").stringValue());
            assertEquals("m", answer.get("model").stringValue());
            assertEquals(8, answer.at("/usage/prompt_tokens").intValue());
            assertEquals(8, answer.at("/usage/total_tokens").intValue());
            assertEquals(2, answer.get("data").size());
            JsonNode second = answer.at("/data/1");
            assertEquals("embedding", second.get("object").stringValue());
            assertEquals(1, second.get("index").intValue());
            assertEquals(FakeEngine.DIMENSIONS, second.get("embedding").size());
            assertEquals(2.5f, second.at("/embedding/1").floatValue());
            TestServer.await("it is logged", () -> !server.log.isEmpty());
            String log = server.log.getLast();
            assertTrue(log.contains("prompts=2 prompt_tokens=8 finish=embedded"), log);
            String metrics = server.get("/metrics").body();
            assertTrue(metrics.contains("finished_reason=\"stop\"} 2"), metrics);
        }
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "\"abc\"|1",
                "[\"abc\"]|1",
                "[\"a\",\"b\",\"c\"]|3",
                "[1,2,3]|1",
                "[1.0,2]|1",
                "[[1,2,3],[4]]|2"
            })
    void takesAllFormsOfInput(String input, int count) throws Exception {
        try (TestServer server = TestServer.start()) {
            JsonNode answer = answer(embed(server, "\"input\":" + input));
            assertEquals(count, answer.get("data").size());
            assertEquals(count, server.engine.embedded.getFirst().prompts().size());
        }
    }

    @Test
    void idsAreIdsAndTextsGetTheModelsSpecialTokensUnlessToldOtherwise() throws Exception {
        try (TestServer server = TestServer.start()) {
            embed(server, "\"input\":[7,8]");
            embed(server, "\"input\":\"x\",\"add_special_tokens\":false,\"user\":\"u\"");
            List<Prompt> prompts = new ArrayList<>();
            server.engine.embedded.forEach(request -> prompts.addAll(request.prompts()));
            assertEquals(List.of(7, 8), boxed(((Prompt.Tokens) prompts.get(0)).ids()));
            assertEquals(new Prompt.Text("x", false), prompts.get(1));
        }
    }

    private static List<Integer> boxed(int[] ids) {
        return Arrays.stream(ids).boxed().toList();
    }

    @Test
    void base64IsTheSameNumbersAsLittleEndianFloats() throws Exception {
        try (TestServer server = TestServer.start()) {
            String text =
                    answer(embed(server, "\"input\":\"abc\",\"encoding_format\":\"base64\""))
                            .at("/data/0/embedding")
                            .stringValue();
            ByteBuffer bytes =
                    ByteBuffer.wrap(Base64.getDecoder().decode(text))
                            .order(ByteOrder.LITTLE_ENDIAN);
            JsonNode numbers =
                    answer(embed(server, "\"input\":\"abc\",\"encoding_format\":\"float\""))
                            .at("/data/0/embedding");
            assertEquals(numbers.size() * 4, bytes.capacity());
            for (JsonNode number : numbers) {
                assertEquals(number.floatValue(), bytes.getFloat());
            }
        }
    }

    @Test
    void passesDimensionsAndNormalizationOn() throws Exception {
        ServerOptions options =
                ServerOptions.defaults()
                        .servedModelNames(List.of("m"))
                        .embedding(new EmbeddingParams(Pooling.CLS, false, null));
        try (TestServer server = new TestServer(options)) {
            JsonNode answer = answer(embed(server, "\"input\":\"abc\",\"dimensions\":2"));
            assertEquals(2, answer.at("/data/0/embedding").size());
            answer(embed(server, "\"input\":\"abc\",\"normalize\":true,\"dimensions\":null"));
            assertEquals(
                    new EmbeddingParams(Pooling.CLS, false, 2),
                    server.engine.embedded.get(0).params());
            assertEquals(
                    new EmbeddingParams(Pooling.CLS, true, null),
                    server.engine.embedded.get(1).params());
        }
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "\"x\":1|input",
                "\"input\":null|input",
                "\"input\":\"\"|input",
                "\"input\":[]|input",
                "\"input\":[\"\"]|input",
                "\"input\":[[]]|input",
                "\"input\":7|input",
                "\"input\":{}|input",
                "\"input\":[true]|input",
                "\"input\":[1,\"a\"]|input",
                "\"input\":[\"a\",1]|input",
                "\"input\":[-1]|input",
                "\"input\":[1000]|input",
                "\"input\":[[1.5]]|input",
                "\"input\":\"a\",\"encoding_format\":\"int8\"|encoding_format",
                "\"input\":\"a\",\"encoding_format\":1|encoding_format",
                "\"input\":\"a\",\"dimensions\":0|dimensions",
                "\"input\":\"a\",\"dimensions\":-1|dimensions",
                "\"input\":\"a\",\"dimensions\":7|dimensions",
                "\"input\":\"a\",\"dimensions\":\"2\"|dimensions",
                "\"input\":\"a\",\"user\":1|user",
                "\"input\":\"a\",\"normalize\":1|normalize",
                "\"input\":\"a\",\"truncate_prompt_tokens\":3|truncate_prompt_tokens",
                "\"input\":\"a\",\"embed_dtype\":\"float16\"|embed_dtype",
                "\"messages\":[]|messages"
            })
    void refusesWhatIsWrongAndNamesIt(String fields, String param) throws Exception {
        try (TestServer server = TestServer.start()) {
            JsonNode error = TestServer.error(400, embed(server, fields));
            assertEquals(param, error.get("param").stringValue());
            assertEquals("invalid_request_error", error.get("type").stringValue());
            assertTrue(server.engine.embedded.isEmpty());
            answer(embed(server, "\"input\":\"still here\""));
        }
    }

    @Test
    void boundsTheNumberOfInputsAndTheirLength() throws Exception {
        try (TestServer server = TestServer.start()) {
            String most = String.join(",", Collections.nCopies(2048, "\"a\""));
            JsonNode answer = answer(embed(server, "\"input\":[" + most + "]"));
            assertEquals(2048, answer.get("data").size());
            JsonNode error = TestServer.error(400, embed(server, "\"input\":[" + most + ",\"a\"]"));
            assertTrue(error.get("message").stringValue().contains("2048"), error::toString);
            error = TestServer.error(400, embed(server, "\"input\":\"" + "a".repeat(513) + "\""));
            assertEquals("context_length_exceeded", error.get("code").stringValue());
            assertEquals("input", error.get("param").stringValue());
            assertTrue(error.get("message").stringValue().contains("512"), error::toString);
        }
    }

    @Test
    void findsNoOtherModel() throws Exception {
        try (TestServer server = TestServer.start()) {
            JsonNode error =
                    TestServer.error(404, server.post(PATH, "{\"model\":\"x\",\"input\":\"a\"}"));
            assertEquals("model_not_found", error.get("code").stringValue());
            TestServer.error(400, server.post(PATH, "{\"input\":\"a\"}"));
            TestServer.error(405, server.get(PATH));
        }
    }

    @Test
    void refusesUnknownFieldsOnlyWhenStrict() throws Exception {
        try (TestServer server = TestServer.start()) {
            answer(embed(server, "\"input\":\"a\",\"surprise\":1"));
        }
        ServerOptions strict = ServerOptions.defaults().servedModelNames(List.of("m")).strict(true);
        try (TestServer server = new TestServer(strict)) {
            answer(embed(server, "\"input\":\"a\",\"user\":\"u\",\"request_id\":\"r\""));
            JsonNode error = TestServer.error(400, embed(server, "\"input\":\"a\",\"surprise\":1"));
            assertEquals("unknown_parameter", error.get("code").stringValue());
        }
    }

    @ParameterizedTest
    @CsvSource({"full,429", "nan,500", "broken,500"})
    void tellsTheEnginesFailures(String script, int status) throws Exception {
        try (TestServer server = TestServer.start()) {
            JsonNode error =
                    TestServer.error(status, embed(server, "\"input\":\"" + script + "\""));
            assertFalse(error.toString().contains("secret"), error::toString);
        }
    }

    @Test
    void aClientThatLeavesEndsTheWork() throws Exception {
        try (TestServer server = TestServer.start()) {
            String body = "{\"model\":\"m\",\"input\":\"hang\"}";
            try (Socket _ = server.open(TestServer.rawPost(PATH, body))) {
                TestServer.await("it runs", () -> server.engine.active.get() == 1);
            }
            TestServer.await("nothing runs", () -> server.engine.active.get() == 0);
            TestServer.await(
                    "it is logged",
                    () -> server.log.stream().anyMatch(line -> line.contains("finish=abort")));
        }
    }

    @Test
    void endsAtTheTimeLimitAndAtTheEndOfTheGrace() throws Exception {
        ServerOptions.Limits limits =
                new ServerOptions.Limits(1 << 20, 1 << 22, 9, 16, 9, 999, 999, 999, 999, 100);
        ServerOptions options =
                ServerOptions.defaults().servedModelNames(List.of("m")).limits(limits);
        try (TestServer server = new TestServer(options)) {
            JsonNode error = TestServer.error(504, embed(server, "\"input\":\"hang\""));
            assertEquals("timeout", error.get("code").stringValue());
        }
        try (TestServer server = TestServer.start()) {
            CompletableFuture<HttpResponse<String>> asked =
                    CompletableFuture.supplyAsync(() -> {
                        try {
                            return embed(server, "\"input\":\"hang\"");
                        } catch (Exception e) {
                            throw new AssertionError(e);
                        }
                    });
            TestServer.await("it runs", () -> server.engine.active.get() == 1);
            assertFalse(server.server.drain(50));
            JsonNode error = TestServer.error(503, asked.get());
            assertEquals("shutting_down", error.get("code").stringValue());
        }
    }

    @Test
    void refusesAnAnswerThatCannotFitIntoItsPartOfTheHeap() throws Exception {
        try (TestServer server = TestServer.start()) {
            EmbeddingAsk ask =
                    EmbeddingAsk.read(
                            "m",
                            Fields.of(Json.object("{\"input\":[[1],[2],[3]]}".getBytes(UTF_8))),
                            new PromptReader(9),
                            EmbeddingParams.defaults(),
                            server.engine.model().embedding(),
                            new SchedulingFields.Read(Scheduling.DEFAULT, null));
            ServerMetrics metrics =
                    new ServerMetrics(server.engine, "m", TrafficOptions.defaults());
            // 3 inputs of 6 numbers, 64 bytes each, are 1.125 KiB.
            ApiError error = new EmbeddingRun(server.engine, metrics, 0, 1024).refusal(ask);
            assertNotNull(error);
            assertTrue(error.json().contains("inputs=3 dimensions=6"), error.json());
            assertNull(new EmbeddingRun(server.engine, metrics, 0, 2048).refusal(ask));
        }
    }
}
