package io.cortado.engine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import io.cortado.api.Constraint;
import io.cortado.api.Engine;
import io.cortado.api.EngineException;
import io.cortado.api.EngineOptions;
import io.cortado.api.GangOptions;
import io.cortado.api.GenerationRequest;
import io.cortado.api.GenerationStream;
import io.cortado.api.LogitTraffic;
import io.cortado.api.Penalties;
import io.cortado.api.Prompt;
import io.cortado.api.SamplingParams;
import io.cortado.api.TokenLogprob;
import io.cortado.device.Device;
import io.cortado.device.Nccl;
import io.cortado.device.NcclException;
import io.cortado.gang.FakeNccl;
import io.cortado.gang.ForwardingTransport;
import io.cortado.gang.GangException;
import io.cortado.gang.InProcessGang;
import io.cortado.gang.Parts;
import io.cortado.gang.Transport;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Ranks on devices whose memory the host does not reach, over NCCL's functions: the CUDA kernels on
 * simt, and a library that moves the bytes where the streams have come to it.
 */
@Timeout(value = 300, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class TensorParallelDeviceTest {
    private static final String SIMT = "simt:0";
    private static final double TOLERANCE = 1e-4;
    private static final int PATIENT_MS = 60_000;
    private static final int SHORT_MS = 1500;

    /** Longer than a test may take. */
    private static final int NEVER_MS = 3_600_000;

    private static final int OUTPUT = 8;

    private final FakeNccl nccl = new FakeNccl();

    @TempDir Path folder;

    @BeforeEach
    void begin() {
        Devices.assumePresent(SIMT);
        nccl.reset();
        nccl.useStreams();
    }

    /** Ranks of one process, joined by the fake. */
    private static GangConnector ranks(int size) {
        return ranks(InProcessGang.create(size));
    }

    private static GangConnector ranks(Transport[] all) {
        return new GangConnector() {
            @Override
            public Transport connect(int rank, int of, String model) {
                return all[rank];
            }

            @Override
            public DeviceCollectives deviceCollectives(EngineOptions options) {
                return FakeNccl::joinOnSimt;
            }
        };
    }

    private EngineOptions options(int size, int deadlineMs) {
        return TinyModel.options(SIMT)
                .tensorParallelSize(size)
                .gang(GangOptions.NONE.timeoutMs(deadlineMs));
    }

    private record Token(int id, float logprob, List<Integer> tops) {
        static Token of(TokenLogprob from) {
            List<Integer> tops = from.top().stream().map(TokenLogprob::id).toList();
            return new Token(from.id(), from.logprob(), tops);
        }
    }

    /** Greedy, drawn, penalized and constrained ones. */
    private static List<GenerationRequest> requests() {
        SamplingParams greedy = SamplingParams.greedy(OUTPUT).toBuilder().logprobs(2).build();
        SamplingParams.Builder drawn =
                greedy.toBuilder().temperature(0.9f).seed(7L).topK(40).topP(0.95f).ignoreEos(true);
        List<SamplingParams> all =
                List.of(
                        greedy,
                        drawn.build(),
                        drawn.penalties(new Penalties(1.2f, 0.3f, 0.1f)).build(),
                        greedy.toBuilder().minTokens(4).build());
        List<GenerationRequest> requests = new ArrayList<>();
        for (SamplingParams params : all) {
            Prompt prompt = Prompt.tokens(TinyModel.prompt(requests.size()));
            requests.add(new GenerationRequest(prompt, params));
        }
        return requests;
    }

    private static List<Answers> askAll(Engine engine, List<GenerationRequest> requests)
            throws InterruptedException {
        List<GenerationStream> streams = new ArrayList<>();
        List<Answers> all = new ArrayList<>();
        for (GenerationRequest request : requests) {
            try {
                streams.add(engine.generate(request));
            } catch (EngineException e) {
                Answers refused = new Answers();
                refused.failure = e;
                all.add(refused);
            }
        }
        for (GenerationStream stream : streams) {
            all.add(Answers.read(stream));
        }
        return all;
    }

    private static List<Token> ask(Engine engine) throws InterruptedException {
        List<Token> all = new ArrayList<>();
        for (Answers answers : askAll(engine, requests())) {
            assertNull(answers.failure, () -> "" + answers.failure);
            answers.answers.getFirst().logprobs.forEach(token -> all.add(Token.of(token)));
        }
        return all;
    }

    private static void assertClose(List<Token> expected, List<Token> got) {
        assertEquals(
                expected.stream().map(Token::id).toList(), got.stream().map(Token::id).toList());
        for (int i = 0; i < expected.size(); i++) {
            assertEquals(expected.get(i).logprob(), got.get(i).logprob(), TOLERANCE, "token " + i);
        }
    }

    /** Sizes of a vocabulary that ranks can share out evenly, and not. */
    @ParameterizedTest
    @ValueSource(ints = {TinyModel.VOCAB, 301})
    void saysWhatOneRankSays(int vocab) throws Exception {
        TinyModel.in(folder, vocab);
        List<Token> expected;
        try (Engine engine = Engine.open(folder, TinyModel.options(SIMT))) {
            expected = ask(engine);
        }
        List<Token> first;
        try (Engine engine = CortadoEngineProvider.open(folder, options(2, PATIENT_MS), ranks(2))) {
            first = ask(engine);
            assertClose(expected, first);
            LogitTraffic traffic = engine.logitTraffic();
            assertTrue(traffic.rows() > 0);
            assertEquals(0, traffic.candidateRows());
            long stride = Math.ceilDiv(Math.ceilDiv(vocab, 2), 16) * 16L;
            assertEquals(traffic.rows() * stride * Float.BYTES, traffic.bytes());
            assertEquals(0, DemoEngine.blocksUsedInTheEnd(engine));
        }
        List<String> calls = nccl.calls();
        assertEquals(2, count(calls, "ncclCommDestroy"));
        assertEquals(0, count(calls, "ncclCommAbort"));
        try (Engine engine = CortadoEngineProvider.open(folder, options(2, PATIENT_MS), ranks(2))) {
            assertEquals(first, ask(engine), "the same bits at every run");
        }
    }

    private static long count(List<String> calls, String function) {
        return calls.stream().filter(call -> call.startsWith(function)).count();
    }

    @Test
    void greedyIdsOfTheDemoModelAreThePublishedOnes() throws Exception {
        DemoEngine.Golden golden = DemoEngine.goldens().getFirst();
        EngineOptions options =
                DemoEngine.options()
                        .device(SIMT)
                        .maxModelLen(256)
                        .maxNumSeqs(2)
                        .tensorParallelSize(2)
                        .gang(GangOptions.NONE.timeoutMs(PATIENT_MS));
        try (Engine engine = CortadoEngineProvider.open(DemoEngine.folder(), options, ranks(2))) {
            Answers answers =
                    DemoEngine.ask(engine, golden.prompt(), SamplingParams.greedy(OUTPUT));
            assertNull(answers.failure, () -> "" + answers.failure);
            assertEquals(golden.greedy().subList(0, OUTPUT), answers.ids());
        }
    }

    @Test
    void constraintsAndShortActivationsWork() throws Exception {
        EngineOptions options =
                DemoEngine.options()
                        .device(SIMT)
                        .activations(EngineOptions.Activations.BF16)
                        .maxModelLen(64)
                        .maxNumSeqs(2)
                        .tensorParallelSize(2)
                        .gang(GangOptions.NONE.timeoutMs(PATIENT_MS));
        SamplingParams params =
                SamplingParams.greedy(OUTPUT).toBuilder()
                        .constraint(new Constraint.Regex("[a-z ]{2,6}"))
                        .build();
        try (Engine engine = CortadoEngineProvider.open(DemoEngine.folder(), options, ranks(2))) {
            Answers answers = DemoEngine.ask(engine, new int[] {5, 9, 3}, params);
            assertNull(answers.failure, () -> "" + answers.failure);
            assertTrue(answers.answers.getFirst().text().matches("[a-z ]{2,6}"));
        }
    }

    private void assertAllAreLost(Engine engine) throws InterruptedException {
        List<Answers> all = askAll(engine, requests());
        assertEquals(requests().size(), all.size());
        for (Answers answers : all) {
            EngineException failure = answers.failure;
            assertNotNull(failure);
            assertEquals(EngineException.Code.DEVICE_LOST, failure.code(), failure::toString);
        }
        EngineException failure = engine.failure();
        assertNotNull(failure);
        assertEquals(EngineException.Code.DEVICE_LOST, failure.code());
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1})
    void aRankWhoseGpuStopsFailsAllRequestsOnceTheDeadlineIsOver(int rank) throws Exception {
        TinyModel.in(folder);
        try (Engine engine = CortadoEngineProvider.open(folder, options(2, SHORT_MS), ranks(2))) {
            nccl.stall(rank);
            assertAllAreLost(engine);
        }
        assertEquals(2, count(nccl.calls(), "ncclCommAbort"));
    }

    /** One rank's NCCL tells it, and that rank the others: nobody waits for the deadline. */
    @Test
    void anErrorThatNcclReportsFailsAllRequestsAtOnce() throws Exception {
        TinyModel.in(folder);
        try (Engine engine = CortadoEngineProvider.open(folder, options(2, NEVER_MS), ranks(2))) {
            nccl.stall(0);
            nccl.asyncError(1, 1);
            assertAllAreLost(engine);
        }
    }

    /** The second rank's transport ends in its exchange of a number; the first is the id's. */
    @ParameterizedTest
    @ValueSource(ints = {1, 2, 4, 7})
    void aRankThatEndsTheGangFailsAllRequestsAtOnce(int exchanges) throws Exception {
        TinyModel.in(folder);
        try (Engine engine =
                CortadoEngineProvider.open(
                        folder, options(2, NEVER_MS), ranks(mortal(exchanges, true)))) {
            assertAllAreLost(engine);
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 4})
    void aRankThatFallsSilentFailsAllRequestsOnceTheDeadlineIsOver(int exchanges) throws Exception {
        TinyModel.in(folder);
        try (Engine engine =
                CortadoEngineProvider.open(
                        folder, options(2, SHORT_MS), ranks(mortal(exchanges, false)))) {
            assertAllAreLost(engine);
        }
    }

    @Test
    void aRankThatEndsTheGangBeforeDevicesAreJoinedFailsTheOthers() throws IOException {
        TinyModel.in(folder);
        EngineException e =
                assertThrows(
                        EngineException.class,
                        () ->
                                CortadoEngineProvider.open(
                                                folder,
                                                options(2, NEVER_MS),
                                                ranks(mortal(0, true)))
                                        .close());
        assertEquals(EngineException.Code.DEVICE_LOST, e.code(), e::toString);
    }

    /** Two ranks, the second of which is lost after so many exchanges. */
    private static Transport[] mortal(int exchanges, boolean tells) {
        Transport[] all = InProcessGang.create(2);
        AtomicInteger left = new AtomicInteger(exchanges);
        all[1] =
                new ForwardingTransport(all[1]) {
                    @Override
                    public void exchange(int kind, Parts send, Parts receive, long deadlineNanos) {
                        if (left.getAndDecrement() <= 0) {
                            if (tells) {
                                ranks.abort("it dies");
                            }
                            throw new GangException(
                                    GangException.Kind.TRANSPORT, "this rank is dead");
                        }
                        super.exchange(kind, send, receive, deadlineNanos);
                    }
                };
        return all;
    }

    @Test
    void theFirstRanksDeviceMayFailAnywhere() throws Exception {
        TinyModel.in(folder);
        int failures = 0;
        for (long call = 1; ; call += 101) {
            AtomicReference<Device> device = new AtomicReference<>();
            long at = call;
            boolean isOver;
            try (Engine engine =
                    CortadoEngineProvider.open(
                            folder,
                            options(2, NEVER_MS),
                            ranks(2),
                            opened -> {
                                device.set(opened);
                                opened.injectFault(at);
                            })) {
                List<Answers> all = askAll(engine, requests().subList(0, 1));
                isOver = all.getFirst().failure == null;
            } catch (EngineException e) {
                assertEquals(EngineException.Code.DEVICE_LOST, e.code(), e::toString);
                isOver = false;
            }
            assertTrue(device.get().isClosed(), "handles are left at call " + call);
            if (isOver) {
                break;
            }
            failures++;
        }
        assertTrue(failures > 3, "failures: " + failures);
    }

    @Test
    void ranksMayBeProcessesOfTheirOwn() throws Exception {
        TinyModel.in(folder);
        GangConnector connector = ranks(2);
        EngineOptions options = options(2, PATIENT_MS);
        GangOptions gang = options.gang();
        CompletableFuture<Void> follower =
                CompletableFuture.runAsync(() ->
                        CortadoEngineProvider.follow(
                                folder, options.gang(gang.process(1, 2, "here")), connector));
        List<Token> expected;
        try (Engine engine = Engine.open(folder, TinyModel.options(SIMT))) {
            expected = ask(engine);
        }
        try (Engine engine =
                CortadoEngineProvider.open(
                        folder, options.gang(gang.process(0, 2, "here")), connector)) {
            assertClose(expected, ask(engine));
        }
        follower.get(60, TimeUnit.SECONDS);
    }

    private static boolean hasNccl() {
        try {
            return Nccl.open().version() > 0;
        } catch (NcclException e) {
            return false;
        }
    }

    @Test
    void whatIsMissingIsToldBeforeRanksMeet() throws IOException {
        assumeFalse(hasNccl(), "this machine has NCCL");
        TinyModel.in(folder);
        for (int rank = 0; rank < 2; rank++) {
            EngineOptions options =
                    TinyModel.options("cuda:0")
                            .tensorParallelSize(2)
                            .gang(GangOptions.NONE.process(rank, 2, "127.0.0.1:1"));
            boolean serves = rank == 0;
            EngineException refused =
                    assertThrows(
                            EngineException.class,
                            () -> {
                                if (serves) {
                                    Engine.open(folder, options).close();
                                } else {
                                    Engine.follow(folder, options);
                                }
                            });
            String message = String.valueOf(refused.getMessage());
            assertTrue(
                    message.startsWith("tensor-parallel-size=2 needs NCCL: device=cuda:0"),
                    message);
            assertTrue(message.contains("looked for in "), message);
        }
    }
}
