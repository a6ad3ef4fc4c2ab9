package io.cortado.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.api.Constraint;
import io.cortado.api.Constraint.StructuralTags.Structure;
import io.cortado.api.Engine;
import io.cortado.api.EngineOptions;
import io.cortado.api.JsonStyle;
import io.cortado.demo.DemoModel;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** The fields that say what an output has to be: as the engine gets them, and what comes of it. */
class ConstraintFieldsTest {
    private static final String SCHEMA =
            "{\"type\":\"object\",\"properties\":{\"n\":{\"type\":\"integer\",\"maximum\":9,"
                    + "\"minimum\":0}},\"required\":[\"n\"],\"additionalProperties\":false}";

    private static Map<String, Constraint> fields() {
        Constraint schema = new Constraint.JsonSchema(SCHEMA);
        Constraint object = new Constraint.JsonObject();
        Constraint choice = new Constraint.Choice(List.of("yes", "no"));
        Constraint regex = new Constraint.Regex("[ab]{2}");
        Constraint grammar = new Constraint.Grammar("root ::= \"x\" | \"y\"");
        String text = "\"root ::= \\\"x\\\" | \\\"y\\\"\"";
        Map<String, Constraint> fields = new LinkedHashMap<>();
        fields.put("\"response_format\":{\"type\":\"json_object\"}", object);
        fields.put(
                "\"response_format\":{\"type\":\"json_object\",\"schema\":" + SCHEMA + "}", schema);
        for (String strict : List.of("", "\"strict\":true,", "\"strict\":false,")) {
            fields.put(
                    "\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"a\","
                            + strict
                            + "\"schema\":"
                            + SCHEMA
                            + "}}",
                    schema);
        }
        fields.put("\"structured_outputs\":{\"json\":" + SCHEMA + "}", schema);
        fields.put("\"structured_outputs\":{\"json_object\":true}", object);
        fields.put("\"structured_outputs\":{\"choice\":[\"yes\",\"no\"]}", choice);
        fields.put("\"structured_outputs\":{\"regex\":\"[ab]{2}\"}", regex);
        fields.put("\"structured_outputs\":{\"grammar\":" + text + "}", grammar);
        fields.put("\"guided_json\":" + SCHEMA, schema);
        fields.put("\"guided_json\":\"" + SCHEMA.replace("\"", "\\\"") + "\"", schema);
        fields.put("\"guided_choice\":[\"yes\",\"no\"]", choice);
        fields.put("\"guided_regex\":\"[ab]{2}\"", regex);
        fields.put("\"guided_grammar\":" + text, grammar);
        fields.put("\"grammar\":" + text, grammar);
        fields.put("\"json_schema\":" + SCHEMA, schema);
        JsonStyle tight =
                JsonStyle.DEFAULT.whitespace(JsonStyle.Whitespace.NONE).closedObjects(true);
        String style = "\"disable_any_whitespace\":true,\"disable_additional_properties\":true";
        fields.put(
                "\"structured_outputs\":{" + style + ",\"json\":" + SCHEMA + "}",
                new Constraint.JsonSchema(SCHEMA, tight));
        fields.put(
                "\"structured_outputs\":{\"json_object\":true," + style + "}",
                new Constraint.JsonObject(tight));
        addTags(fields);
        addBounds(fields);
        return fields;
    }

    private static void addBounds(Map<String, Constraint> fields) {
        String tags =
                "{\"format\":{\"type\":\"triggered_tags\",\"triggers\":[\"<\"],\"tags\":[{"
                        + "\"begin\":\"<g\",\"content\":{\"type\":\"json_schema\","
                        + "\"json_schema\":true},\"end\":\">\"}],\"at_least_one\":true,"
                        + "\"stop_after_first\":true}}";
        fields.put(
                "\"structured_outputs\":{\"structural_tag\":" + tags + "}",
                new Constraint.StructuralTags(
                        List.of(new Structure("<g", "true", ">")),
                        List.of("<"),
                        true,
                        true,
                        JsonStyle.DEFAULT));
    }

    private static void addTags(Map<String, Constraint> fields) {
        String schema = "{\"enum\":[1,22]}";
        Constraint tags =
                new Constraint.StructuralTags(
                        List.of(new Structure("<f=", schema, ">"), new Structure("<g", "true", "")),
                        List.of("<"));
        String old =
                "\"structures\":[{\"begin\":\"<f=\",\"schema\":"
                        + schema
                        + ",\"end\":\">\"},{\"begin\":\"<g\",\"schema\":true,\"end\":\"\"}],"
                        + "\"triggers\":[\"<\"]";
        String content = "\"content\":{\"type\":\"json_schema\",\"json_schema\":";
        String format =
                "\"format\":{\"type\":\"triggered_tags\",\"triggers\":[\"<\"],\"tags\":[{"
                        + "\"begin\":\"<f=\","
                        + content
                        + schema
                        + "},\"end\":\">\"},{\"type\":\"tag\",\"begin\":\"<g\","
                        + content
                        + "true},\"end\":\"\"}],\"at_least_one\":false}";
        String type = "\"type\":\"structural_tag\",";
        for (String form : List.of(old, type + old, type + format)) {
            String text = "{" + form + "}";
            fields.put("\"structured_outputs\":{\"structural_tag\":" + text + "}", tags);
            String quoted = JsonMapper.shared().writeValueAsString(text);
            fields.put("\"structured_outputs\":{\"structural_tag\":" + quoted + "}", tags);
        }
        fields.put("\"response_format\":{" + type + old + "}", tags);
        fields.put("\"response_format\":{" + type + format + "}", tags);
    }

    @Test
    void bothRoutesTakeEachName() throws Exception {
        try (TestServer server = TestServer.start()) {
            for (Map.Entry<String, Constraint> each : fields().entrySet()) {
                assertEquals(200, server.chat("hi", each.getKey()).statusCode(), each.getKey());
                assertEquals(each.getValue(), server.engine.seen.getLast().params().constraint());
                String completion = "\"prompt\":\"hi\"," + each.getKey();
                assertEquals(200, server.complete(completion).statusCode(), each.getKey());
                assertEquals(each.getValue(), server.engine.seen.getLast().params().constraint());
            }
            assertEquals(
                    200, server.chat("hi", "\"response_format\":{\"type\":\"text\"}").statusCode());
            assertNull(server.engine.seen.getLast().params().constraint());
        }
    }

    @Test
    void refusesTwoAtOnce() throws Exception {
        try (TestServer server = TestServer.start()) {
            JsonNode error =
                    TestServer.error(
                            400,
                            server.chat(
                                    "hi",
                                    "\"response_format\":{\"type\":\"json_object\"},"
                                            + "\"guided_regex\":\"a\""));
            assertEquals("guided_regex", error.get("param").stringValue());
            assertTrue(error.get("message").stringValue().contains("response_format"));
        }
    }

    @Test
    void theDemoModelAnswersByThemAndBadOnesAre400(@TempDir Path folder) throws Exception {
        try (Engine engine = Engine.open(DemoModel.unpack(folder), EngineOptions.defaults());
                Server server =
                        Server.start(
                                engine,
                                ServerOptions.defaults()
                                        .listen("127.0.0.1", 0)
                                        .servedModelNames(List.of("m"))
                                        .accessLog(false))) {
            String content =
                    content(
                            server,
                            "\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{"
                                    + "\"name\":\"a\",\"schema\":"
                                    + SCHEMA
                                    + "}}");
            JsonNode n = TestServer.MAPPER.readTree(content).get("n");
            assertTrue(n.isIntegralNumber() && n.intValue() >= 0 && n.intValue() <= 9, content);
            assertTrue(content(server, "\"guided_regex\":\"[ab]{2}\"").matches("[ab]{2}"));
            assertTrue(
                    List.of("yes", "no")
                            .contains(content(server, "\"guided_choice\":[\"yes\",\"no\"]")));
            assertRefused(
                    server,
                    "\"structured_outputs\":{\"json\":{\"properties\":{\"a\":{\"type\":7}}}}",
                    "structured_outputs.json",
                    "/properties/a/type");
            assertRefused(server, "\"guided_regex\":\"a(b\"", "guided_regex", "offset");
            refusesTags(server);
            assertRefused(server, "\"grammar\":\"root ::= nobody\"", "grammar", "nobody");
        }
    }

    private static void refusesTags(Server server) throws Exception {
        String tag = "\"structured_outputs\":{\"structural_tag\":";
        String path = "structured_outputs.structural_tag";
        assertRefused(server, tag + "7}", path, "an object");
        assertRefused(server, tag + "\"{\"}", path, "an object");
        assertRefused(server, tag + "{\"triggers\":[\"a\"]}}", path + ".triggers", "structures=0");
        String structure = "{\"structures\":[{\"begin\":\"a\",\"end\":\"b\",\"schema\":";
        assertRefused(
                server,
                tag + structure + "{}}],\"triggers\":[\"c\"]}}",
                path + ".triggers",
                "begin=a");
        assertRefused(
                server,
                tag + structure + "{\"type\":7}}],\"triggers\":[\"a\"]}}",
                path,
                "/structures/0/schema/type");
        assertRefused(
                server,
                tag + "{\"format\":{\"type\":\"sequence\"}}}",
                path + ".format.type",
                "triggered_tags");
        assertRefused(
                server,
                tag + "{\"format\":{\"type\":\"triggered_tags\",\"excludes\":[\"a\"]}}}",
                path + ".format.excludes",
                "leave it out");
    }

    private static HttpResponse<String> ask(Server server, String fields) throws Exception {
        HttpRequest request =
                HttpRequest.newBuilder(
                                URI.create(
                                        "http://127.0.0.1:"
                                                + server.port()
                                                + "/v1/chat/completions"))
                        .header("content-type", "application/json")
                        .POST(
                                HttpRequest.BodyPublishers.ofString(
                                        TestServer.chatBody(
                                                "hi", fields + ",\"temperature\":1.5,\"seed\":4")))
                        .build();
        try (HttpClient client = HttpClient.newHttpClient()) {
            return client.send(request, HttpResponse.BodyHandlers.ofString());
        }
    }

    private static String content(Server server, String fields) throws Exception {
        HttpResponse<String> response = ask(server, fields);
        assertEquals(200, response.statusCode(), response.body());
        JsonNode choice = TestServer.json(response).get("choices").get(0);
        assertEquals("stop", choice.get("finish_reason").stringValue());
        return choice.get("message").get("content").stringValue();
    }

    private static void assertRefused(Server server, String fields, String param, String where)
            throws Exception {
        JsonNode error = TestServer.error(400, ask(server, fields));
        assertEquals(param, error.get("param").stringValue());
        assertTrue(error.get("message").stringValue().contains(where), error.toString());
    }
}
