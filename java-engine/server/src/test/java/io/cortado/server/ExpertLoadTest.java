package io.cortado.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.api.EngineOptions.SchedulingPolicy;
import io.cortado.api.ExpertLoad;
import java.net.http.HttpResponse;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;

/** What operators see of a model's experts. */
class ExpertLoadTest {
    private static final List<ExpertLoad> TWO_LAYERS =
            List.of(
                    new ExpertLoad(1, List.of(6L, 0L, 3L, 3L)),
                    new ExpertLoad(3, List.of(12L, 0L, 0L, 0L)));

    private static TestServer server(List<ExpertLoad> loads) throws Exception {
        FakeEngine engine = new FakeEngine();
        engine.expertLoads = loads;
        return new TestServer(
                engine,
                ServerOptions.defaults()
                        .servedModelNames(List.of("m"))
                        .traffic(
                                new TrafficOptions(
                                        SchedulingPolicy.FCFS, Map.of(), Set.of(), true, false)));
    }

    @Test
    void tellsLoadsAndImbalanceOfEachLayer() throws Exception {
        try (TestServer server = server(TWO_LAYERS)) {
            HttpResponse<String> answer = server.get("/debug/experts");
            assertEquals(200, answer.statusCode(), answer.body());
            JsonNode layers = TestServer.json(answer).get("layers");
            assertEquals(2, layers.size());
            assertEquals(1, layers.get(0).get("layer").intValue());
            assertEquals(12, layers.get(0).get("total").intValue());
            assertEquals(6, layers.get(0).get("max").intValue());
            assertEquals(2.0, layers.get(0).get("imbalance").doubleValue());
            assertEquals("[6,0,3,3]", layers.get(0).get("tokens").toString());
            assertEquals(4.0, layers.get(1).get("imbalance").doubleValue());
        }
    }

    @Test
    void drawsAHeatTableForPeople() throws Exception {
        List<ExpertLoad> loads = new ArrayList<>(TWO_LAYERS);
        loads.add(new ExpertLoad(5, Collections.nCopies(65, 100L)));
        try (TestServer server = server(loads)) {
            HttpResponse<String> answer = server.get("/debug/experts.txt");
            assertTrue(
                    answer.headers()
                            .firstValue("content-type")
                            .orElse("")
                            .startsWith("text/plain"));
            List<String> lines = answer.body().lines().toList();
            assertEquals(5, lines.size(), answer.body());
            assertEquals("    1          12      2.00  |@ ++|", lines.get(1));
            assertEquals("    3          12      4.00  |@   |", lines.get(2));
            assertTrue(lines.get(3).endsWith("|" + "+".repeat(64) + "|"), lines.get(3));
            assertTrue(lines.get(4).endsWith(" |+|"), lines.get(4));
        }
    }

    @Test
    void aModelWithoutExpertsHasNoTable() throws Exception {
        try (TestServer server = server(List.of())) {
            for (String path : List.of("/debug/experts", "/debug/experts.txt")) {
                JsonNode error = TestServer.error(404, server.get(path));
                assertEquals("The model has no experts.", error.get("message").stringValue());
            }
            assertFalse(server.get("/metrics").body().contains("cortado_expert"));
        }
    }

    @Test
    void metricsTellThemByLayerAndExpert() throws Exception {
        try (TestServer server = server(TWO_LAYERS)) {
            Scrape before = Scrape.of(server.get("/metrics").body());
            assertEquals("gauge", before.types.get("cortado_expert_imbalance"));
            assertEquals(2, before.value("cortado_expert_imbalance", "layer", "1"));
            assertEquals(24, before.value("cortado_expert_choices_total"));
            assertEquals(8, tokenLines(before));
            server.engine.expertLoads =
                    List.of(
                            new ExpertLoad(1, List.of(6L, 6L, 3L, 3L)),
                            new ExpertLoad(3, List.of(12L, 6L, 0L, 0L)));
            Scrape after = Scrape.of(server.get("/metrics").body());
            after.requireNotBehind(before);
            assertEquals(36, after.value("cortado_expert_choices_total"));
        }
    }

    private static long tokenLines(Scrape scrape) {
        return scrape.samples.values().stream()
                .filter(sample -> sample.name().equals("cortado_expert_tokens_total"))
                .count();
    }

    @Test
    void aModelOfManyExpertsHasNoLineForEach() throws Exception {
        List<ExpertLoad> most = new ArrayList<>();
        for (int layer = 0; layer < 8; layer++) {
            most.add(new ExpertLoad(layer, Collections.nCopies(128, 1L)));
        }
        try (TestServer server = server(most)) {
            assertEquals(
                    ExpertMetrics.MAX_LINES, tokenLines(Scrape.of(server.get("/metrics").body())));
        }
        most.add(new ExpertLoad(8, List.of(1L)));
        try (TestServer server = server(most)) {
            Scrape scrape = Scrape.of(server.get("/metrics").body());
            assertEquals(0, tokenLines(scrape));
            assertEquals(1, scrape.value("cortado_expert_imbalance", "layer", "8"));
            assertEquals(8 * 128 + 1, scrape.value("cortado_expert_choices_total"));
        }
    }
}
