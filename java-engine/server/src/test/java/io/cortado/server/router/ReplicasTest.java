package io.cortado.server.router;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import io.cortado.api.Engine;
import io.cortado.api.EngineOptions;
import io.cortado.demo.DemoModel;
import io.cortado.server.Server;
import io.cortado.server.ServerOptions;
import io.cortado.server.TrafficOptions;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.BooleanSupplier;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Servers of the demo model behind a small router, which lose one of them in different ways. */
@Timeout(300)
class ReplicasTest {
    private static final JsonMapper MAPPER = JsonMapper.builder().build();

    private final List<Engine> engines = new ArrayList<>();
    private final List<Server> servers = new ArrayList<>();
    private final AtomicLong aheadNanos = new AtomicLong();
    private final SmallRouter router = new SmallRouter(() -> System.nanoTime() + aheadNanos.get());
    private final List<Replica> replicas = new ArrayList<>();

    @BeforeEach
    void start(@TempDir Path folder) throws IOException {
        Path model = DemoModel.unpack(folder);
        for (int i = 0; i < 3; i++) {
            Engine engine =
                    Engine.open(model, EngineOptions.defaults().threads(1).maxModelLen(512));
            engines.add(engine);
            Server server =
                    Server.start(
                            engine,
                            ServerOptions.defaults()
                                    .listen("127.0.0.1", 0)
                                    .servedModelNames(List.of("demo"))
                                    .traffic(TrafficOptions.defaults().kvEvents(true))
                                    .accessLog(false));
            servers.add(server);
            replicas.add(router.add("r" + i, server.port()));
        }
    }

    @AfterEach
    void stop() throws InterruptedException {
        router.close();
        servers.forEach(Server::close);
        engines.forEach(Engine::close);
    }

    /** Ids that no other prompt begins with. */
    private static int[] prompt(int seed, int length) {
        int[] ids = new int[length];
        Arrays.setAll(ids, i -> 40 + (seed * 31 + i * 7) % 200);
        ids[0] = 40 + seed % 200;
        return ids;
    }

    private SmallRouter.Answered ask(int[] prompt, int maxTokens)
            throws IOException, InterruptedException {
        return router.complete(
                prompt,
                "{\"model\":\"demo\",\"prompt\":%s,\"max_tokens\":%d,\"ignore_eos\":true,\"temperature\":0}"
                        .formatted(Arrays.toString(prompt), maxTokens));
    }

    private static JsonNode json(SmallRouter.Answered answered) {
        assertEquals(200, answered.response().statusCode(), answered.response().body());
        return MAPPER.readTree(answered.response().body());
    }

    private static int cached(SmallRouter.Answered answered) {
        return json(answered).at("/usage/prompt_tokens_details/cached_tokens").intValue();
    }

    private static void await(String what, BooleanSupplier condition) throws InterruptedException {
        long end = System.nanoTime() + 60_000_000_000L;
        while (!condition.getAsBoolean()) {
            if (System.nanoTime() > end) {
                fail("not within a minute: " + what);
            }
            Thread.sleep(5);
        }
    }

    private void pollAll() throws InterruptedException {
        for (Replica replica : replicas) {
            replica.poll();
        }
    }

    private Replica named(String name) {
        return replicas.stream().filter(each -> each.name().equals(name)).findFirst().orElseThrow();
    }

    @Test
    void sendsAPromptWhereItsBeginningIs() throws Exception {
        pollAll();
        List<String> first = new ArrayList<>();
        for (int seed = 0; seed < 6; seed++) {
            int[] prompt = prompt(seed, 64);
            SmallRouter.Answered answered = ask(prompt, 2);
            assertEquals(0, cached(answered));
            assertEquals(
                    "router-" + (seed + 1),
                    answered.response().headers().firstValue("x-request-id").orElse(""));
            first.add(answered.replica());
            PrefixView view = named(answered.replica()).prefixes();
            await("the events of a prompt", () -> view.held(prompt) >= 64);
            pollAll();
        }
        for (int seed = 5; seed >= 0; seed--) {
            int[] longer = Arrays.copyOf(prompt(seed, 64), 80);
            Arrays.fill(longer, 64, 80, 50 + seed);
            SmallRouter.Answered answered = ask(longer, 2);
            assertEquals(first.get(seed), answered.replica());
            assertTrue(cached(answered) >= 64, answered.response().body());
            pollAll();
        }
    }

    @Test
    void goesElsewhereWhenTheQueueIsLong() throws Exception {
        int[] prompt = prompt(1, 48);
        pollAll();
        SmallRouter.Answered answered = ask(prompt, 1);
        Replica holder = named(answered.replica());
        await("its events", () -> holder.prefixes().held(prompt) == 48);
        holder.poll();
        assertEquals(holder, router.choose(prompt, Set.of()).orElseThrow());
        Thread busy = Thread.ofVirtual().start(() -> keepBusy(prompt, holder));
        await(
                "the load shows",
                () -> {
                    try {
                        holder.poll();
                        return holder.load().running() >= 2;
                    } catch (InterruptedException e) {
                        throw new IllegalStateException(e);
                    }
                });
        assertNotEquals(holder, router.choose(prompt, Set.of()).orElseThrow());
        busy.interrupt();
        busy.join();
    }

    /** Many answers to one prompt, on this replica. */
    private static void keepBusy(int[] prompt, Replica replica) {
        String body =
                "{\"model\":\"demo\",\"prompt\":%s,\"max_tokens\":400,\"n\":8,\"ignore_eos\":true}"
                        .formatted(Arrays.toString(prompt));
        while (!Thread.currentThread().isInterrupted()) {
            try {
                replica.post("/v1/completions", body, "busy");
            } catch (IOException | InterruptedException e) {
                return;
            }
        }
    }

    @Test
    void countsAReplicaWithStaleMetricsAsFull() throws Exception {
        int[] prompt = prompt(2, 64);
        pollAll();
        SmallRouter.Answered answered = ask(prompt, 1);
        Replica holder = named(answered.replica());
        await("its events", () -> holder.prefixes().held(prompt) == 64);
        pollAll();
        assertEquals(holder, router.choose(prompt, Set.of()).orElseThrow());
        aheadNanos.addAndGet(2 * SmallRouter.STALE_NANOS);
        assertTrue(router.isStale(holder));
        for (Replica replica : replicas) {
            if (replica != holder) {
                replica.poll();
            }
        }
        assertNotEquals(holder, router.choose(prompt, Set.of()).orElseThrow());
        holder.poll();
        assertFalse(router.isStale(holder));
        assertEquals(holder, router.choose(prompt, Set.of()).orElseThrow());
    }

    /** What became of requests that ran while a replica went away. */
    private final class Traffic {
        final ConcurrentLinkedQueue<SmallRouter.Answered> answered = new ConcurrentLinkedQueue<>();
        final ConcurrentLinkedQueue<Throwable> lost = new ConcurrentLinkedQueue<>();
        private final Semaphore done = new Semaphore(0);
        private final AtomicBoolean isOver = new AtomicBoolean();
        private final CountDownLatch left = new CountDownLatch(CLIENTS);
        private static final int CLIENTS = 8;

        Traffic() {
            for (int client = 0; client < CLIENTS; client++) {
                int number = client;
                Thread.ofVirtual().start(() -> run(number));
            }
        }

        private void run(int client) {
            try {
                for (int i = 0; !isOver.get(); i++) {
                    one(prompt(client * 1000 + i, 32));
                }
            } catch (InterruptedException e) {
                lost.add(e);
            } finally {
                left.countDown();
            }
        }

        private void one(int[] prompt) throws InterruptedException {
            try {
                answered.add(ask(prompt, 24));
                done.release();
            } catch (IOException e) {
                lost.add(e);
            }
        }

        void awaitMore(int answers) throws InterruptedException {
            done.drainPermits();
            done.acquire(answers);
        }

        void end() throws InterruptedException {
            isOver.set(true);
            left.await();
            for (SmallRouter.Answered each : answered) {
                assertEquals(24, json(each).at("/usage/completion_tokens").intValue());
            }
        }

        Set<String> replicas() {
            return answered.stream().map(SmallRouter.Answered::replica).collect(Collectors.toSet());
        }
    }

    @Test
    void losesNothingWhenAReplicaDrains() throws Exception {
        router.start(20);
        await("all are ready", () -> replicas.stream().allMatch(each -> each.load().isReady()));
        Traffic traffic = new Traffic();
        await("all replicas answer", () -> traffic.replicas().size() == 3);
        assertTrue(servers.getFirst().drain(60_000));
        // Until the router has noticed, and what it had sent before is answered, by a 503.
        await("it is out", () -> !replicas.getFirst().load().isReady());
        traffic.awaitMore(4 * Traffic.CLIENTS);
        servers.getFirst().close();
        int before = traffic.answered.size();
        traffic.awaitMore(40);
        traffic.end();
        assertEquals(List.of(), List.copyOf(traffic.lost));
        long late =
                traffic.answered.stream()
                        .skip(before + Traffic.CLIENTS)
                        .filter(each -> each.replica().equals("r0"))
                        .count();
        assertEquals(0, late);
        assertEquals(0, engines.getFirst().stats().blocksUsed());
    }

    @Test
    void losesOnlyWhatIsInFlightWhenAReplicaIsKilled() throws Exception {
        router.start(20);
        await("all are ready", () -> replicas.stream().allMatch(each -> each.load().isReady()));
        Traffic traffic = new Traffic();
        await("all replicas answer", () -> traffic.replicas().size() == 3);
        servers.getFirst().close();
        engines.getFirst().close();
        traffic.awaitMore(40);
        traffic.end();
        assertTrue(traffic.lost.size() <= Traffic.CLIENTS, traffic.lost.toString());
        for (Throwable lost : traffic.lost) {
            assertEquals(SmallRouter.LostException.class, lost.getClass());
            assertTrue(
                    String.valueOf(lost.getMessage())
                            .matches("r0 was lost with request router-[0-9]+"),
                    lost.toString());
        }
        assertEquals(200, ask(prompt(77, 32), 4).response().statusCode());
        assertFalse(replicas.getFirst().load().isReady());
    }
}
