package io.cortado.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.cortado.api.EngineOptions.SchedulingPolicy;
import io.cortado.server.TrafficOptions.SloClass;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class MetricsTest {
    private static TestServer server() throws Exception {
        return new TestServer(
                ServerOptions.defaults()
                        .servedModelNames(List.of("m"))
                        .traffic(
                                new TrafficOptions(
                                        SchedulingPolicy.FAIR,
                                        Map.of(
                                                "fast",
                                                new SloClass(5, 1),
                                                "slow",
                                                new SloClass(1000, 1000)),
                                        Set.of("a\"b", "acme"),
                                        false,
                                        false)));
    }

    private static Scrape scrape(TestServer server) throws Exception {
        return Scrape.of(server.get("/metrics").body());
    }

    /** What gateways and dashboards made for vLLM read, by its own type. */
    @ParameterizedTest
    @CsvSource({
        "num_requests_running,gauge",
        "num_requests_waiting,gauge",
        "num_requests_waiting_by_reason,gauge",
        "kv_cache_usage_perc,gauge",
        "cache_config_info,gauge",
        "prefix_cache_queries_total,counter",
        "prefix_cache_hits_total,counter",
        "prompt_tokens_total,counter",
        "prompt_tokens_cached_total,counter",
        "generation_tokens_total,counter",
        "num_preemptions_total,counter",
        "request_success_total,counter",
        "corrupted_requests_total,counter",
        "iteration_tokens_total,histogram",
        "time_to_first_token_seconds,histogram",
        "inter_token_latency_seconds,histogram",
        "request_time_per_output_token_seconds,histogram",
        "e2e_request_latency_seconds,histogram",
        "request_queue_time_seconds,histogram",
        "request_prefill_time_seconds,histogram",
        "request_decode_time_seconds,histogram",
        "request_inference_time_seconds,histogram",
        "request_prompt_tokens,histogram",
        "request_generation_tokens,histogram",
        "request_prefill_kv_computed_tokens,histogram",
        "request_params_n,histogram",
        "request_params_max_tokens,histogram",
    })
    void hasTheNamesAndTypesOfVllmBesideOurs(String name, String type) throws Exception {
        try (TestServer server = server()) {
            Scrape scrape = scrape(server);
            assertEquals(type, scrape.types.get("vllm:" + name));
            assertEquals(type, scrape.types.get("cortado_" + name));
            scrape.samples
                    .values()
                    .forEach(sample -> assertTrue(sample.has("model_name", "m"), sample.name()));
        }
    }

    @Test
    void hasEveryNameThatTheStudyOfTheFieldLists() throws Exception {
        Path study = Path.of(System.getProperty("cortado.root"), "../shared/research/ecosystem.md");
        assumeTrue(Files.isRegularFile(study), "no study of the field here");
        Matcher list =
                Pattern.compile("Metric names: keep vLLM's set(.*?)spec_decode_", Pattern.DOTALL)
                        .matcher(Files.readString(study));
        assertTrue(list.find());
        try (TestServer server = server()) {
            String families = String.join(" ", scrape(server).types.keySet());
            // Labels are in braces.
            Matcher names =
                    Pattern.compile("\\b[a-z0-9]+(?:_[a-z0-9]+)+\\b")
                            .matcher(list.group(1).replaceAll("\\{[^}]*\\}", " "));
            int count = 0;
            for (; names.find(); count++) {
                assertTrue(families.contains(names.group()), names.group());
            }
            assertTrue(count >= 12, "names: " + count);
        }
    }

    @Test
    void countsWhatHappensAndNeverGoesBack() throws Exception {
        try (TestServer server = server()) {
            Scrape before = scrape(server);
            server.chat("hi", "\"stream\":true,\"max_tokens\":3");
            server.chat("nan", "");
            server.complete("\"prompt\":[\"x\",\"y\"],\"max_tokens\":2,\"n\":2");
            Scrape after = scrape(server);
            after.requireNotBehind(before);
            assertEquals(3, after.value("vllm:time_to_first_token_seconds_count"));
            assertEquals(5, after.value("vllm:request_success_total", "finished_reason", "length"));
            assertEquals(1, after.value("vllm:corrupted_requests_total"));
            assertEquals(1, after.value("vllm:request_success_total", "finished_reason", "error"));
            assertEquals(3, after.value("vllm:request_params_max_tokens_bucket", "le", "5.0"));
            assertEquals(9, after.value("vllm:prefix_cache_queries_total"));
            assertEquals(6, after.value("vllm:prefix_cache_hits_total"));
            assertEquals(14, after.value("vllm:iteration_tokens_total_count"));
            assertEquals(70, after.value("vllm:iteration_tokens_total_sum"));
            assertEquals(
                    2, after.value("vllm:num_requests_waiting_by_reason", "reason", "capacity"));
            assertEquals(1, after.value("vllm:cache_config_info", "block_size", "16"));
            assertEquals(1, after.value("vllm:cache_config_info", "num_gpu_blocks", "10"));
        }
    }

    /** Those of vLLM (vllm/v1/metrics/loggers.py): finer ones below them do no harm. */
    @ParameterizedTest
    @CsvSource({
        "time_to_first_token_seconds,0.001 0.005 0.01 0.02 0.04 0.06 0.08 0.1 0.25 0.5 0.75 1.0 2.5"
                + " 5.0 7.5 10.0 20.0 40.0 80.0 160.0 640.0 2560.0",
        "inter_token_latency_seconds,0.01 0.025 0.05 0.075 0.1 0.15 0.2 0.3 0.4 0.5 0.75 1.0 2.5"
                + " 5.0 7.5 10.0 20.0 40.0 80.0",
        "request_time_per_output_token_seconds,0.01 0.025 0.05 0.075 0.1 0.15 0.2 0.3 0.4 0.5 0.75"
                + " 1.0 2.5 5.0 7.5 10.0 20.0 40.0 80.0",
        "e2e_request_latency_seconds,0.3 0.5 0.8 1.0 1.5 2.0 2.5 5.0 10.0 15.0 20.0 30.0 40.0 50.0"
                + " 60.0 120.0 240.0 480.0 960.0 1920.0 7680.0",
        "request_queue_time_seconds,0.3 0.5 0.8 1.0 1.5 2.0 2.5 5.0 10.0 15.0 20.0 30.0 60.0 120.0",
        "request_prompt_tokens,1.0 2.0 5.0 10.0 20.0 50.0 100.0 200.0 500.0 1000.0 2000.0 5000.0",
        "request_params_n,1.0 2.0 5.0 10.0 20.0",
        "iteration_tokens_total,1.0 8.0 16.0 32.0 64.0 128.0 256.0 512.0 1024.0 2048.0 4096.0"
                + " 8192.0 16384.0",
    })
    void hasTheBucketsOfVllm(String name, String bounds) throws Exception {
        try (TestServer server = server()) {
            Scrape scrape = scrape(server);
            for (String bound : (bounds + " +Inf").split(" ")) {
                assertEquals(
                        scrape.value("cortado_" + name + "_bucket", "le", bound),
                        scrape.value("vllm:" + name + "_bucket", "le", bound));
            }
        }
    }

    @Test
    void neverGoesBackWhileRequestsAreServed() throws Exception {
        try (TestServer server = server();
                ExecutorService clients = Executors.newVirtualThreadPerTaskExecutor()) {
            List<Future<?>> asking = new ArrayList<>();
            for (int client = 0; client < 4; client++) {
                String user = "\"max_tokens\":3,\"stream\":true,\"user\":\"acme\"";
                asking.add(
                        clients.submit(() -> {
                            for (int i = 0; i < 20; i++) {
                                server.chat("hi", user);
                            }
                            return null;
                        }));
            }
            Scrape before = scrape(server);
            boolean asks = true;
            while (asks) {
                asks = !asking.stream().allMatch(Future::isDone);
                Scrape now = scrape(server);
                now.requireNotBehind(before);
                before = now;
            }
            for (Future<?> client : asking) {
                client.get();
            }
            assertEquals(80, before.value("cortado_tenant_requests_total", "tenant", "acme"));
        }
    }

    @Test
    void givesTenantsThatNobodyNamedOneLineTogether() throws Exception {
        try (TestServer server = server()) {
            for (int i = 0; i < 50; i++) {
                server.chat("hi", "\"max_tokens\":1,\"user\":\"evil-" + i + "\"");
            }
            server.chat("hi", "\"max_tokens\":1,\"user\":\"acme\"");
            server.post(
                    "/v1/chat/completions",
                    TestServer.chatBody("hi", "\"max_tokens\":1,\"user\":\"acme\""),
                    "x-gateway-inference-fairness-id",
                    "a\"b");
            String text = server.get("/metrics").body();
            assertFalse(text.contains("evil"));
            Scrape scrape = Scrape.of(text);
            assertEquals(50, scrape.value("cortado_tenant_requests_total", "tenant", "_other"));
            assertEquals(1, scrape.value("cortado_tenant_requests_total", "tenant", "acme"));
            assertEquals(1, scrape.value("cortado_tenant_requests_total", "tenant", "a\\\"b"));
        }
    }

    /** The scripted engine's first token comes after 2 ms, the others 1.6 ms apart. */
    @Test
    void countsTheRequestsOfAClassThatMetItsTargets() throws Exception {
        try (TestServer server = server()) {
            server.chat("hi", "\"slo_class\":\"fast\"");
            server.chat("hi", "\"slo_class\":\"slow\"");
            Scrape scrape = scrape(server);
            assertEquals(1, scrape.value("cortado_slo_requests_total", "slo_class", "fast"));
            assertEquals(0, scrape.value("cortado_slo_met_total", "slo_class", "fast"));
            assertEquals(1, scrape.value("cortado_slo_met_total", "slo_class", "slow"));
        }
    }
}
