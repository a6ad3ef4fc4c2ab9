package io.cortado.engine;

import io.cortado.api.Embedding;
import io.cortado.api.EmbeddingRequest;
import io.cortado.api.Engine;
import io.cortado.api.EngineException;
import io.cortado.api.EngineOptions;
import io.cortado.api.EngineStats;
import io.cortado.api.ExpertLoad;
import io.cortado.api.GenerationRequest;
import io.cortado.api.GenerationStream;
import io.cortado.api.KvEventStream;
import io.cortado.api.LogitTraffic;
import io.cortado.api.ModelInfo;
import io.cortado.api.Prompt;
import io.cortado.api.RankTimes;
import io.cortado.api.RequestReport;
import io.cortado.api.SamplingParams;
import io.cortado.kv.BlockKeys;
import io.cortado.kv.KvCache;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/**
 * The engine of a loaded model: checks requests on the caller's thread and hands them to its loop.
 */
final class CortadoEngine implements Engine {
    private static final System.Logger LOG = System.getLogger(CortadoEngine.class.getName());

    /** Time that a step under way has when the engine is closed. */
    private static final Duration CLOSE_PATIENCE = Duration.ofSeconds(10);

    private final ModelInfo model;
    private final Texts texts;
    private final RequestChecker checker;
    private final EmbeddingChecker embeddingChecker;
    private final BlockKeys sharedKeys;
    private final int maxNumSeqs;
    private final Logprobs logprobs;
    private final Door door;
    private final EngineLoop loop;
    private final Thread loopThread;
    private final Watchdog watchdog;
    private final Executor executor;
    private final AtomicBoolean closed = new AtomicBoolean();

    /** Owns the executor from here on. */
    CortadoEngine(
            ModelInfo model,
            Texts texts,
            Executor executor,
            KvCache cache,
            Limits limits,
            EngineOptions options,
            MaskThreads maskThreads) {
        this.model = model;
        this.texts = texts;
        this.executor = executor;
        checker =
                new RequestChecker(
                        model.vocabSize(),
                        model.maxModelLen(),
                        cache.pool().total(),
                        model.endTokenIds(),
                        texts.tokenizer(),
                        new SamplingChecker(
                                model.vocabSize(),
                                texts.vocabSize(model.vocabSize()),
                                texts.tokenizer(),
                                Processors.of(options.logitsProcessors()),
                                new Constraints(
                                        texts.tokenizer(),
                                        model.vocabSize(),
                                        model.endTokenIds(),
                                        maskThreads,
                                        options.jumpForward())),
                        new PrefixKeys(
                                model.name(), options.prefixCaching(), limits.otherAnglesAbove()));
        sharedKeys = PrefixKeys.shared(model.name());
        embeddingChecker = new EmbeddingChecker(model.embedding(), model.vocabSize(), texts);
        maxNumSeqs = limits.maxNumSeqs();
        logprobs = new Logprobs(texts.tokenizer());
        door = new Door(limits.maxNumSeqs(), options.maxWaiting(), options.maxWaitingTokens());
        loop =
                new EngineLoop(
                        cache,
                        limits,
                        AdmissionQueue.of(options),
                        executor,
                        door,
                        System::nanoTime,
                        options.speculation());
        loopThread = Thread.ofPlatform().daemon().name("cortado-engine").unstarted(loop);
        loop.limitUnread(TimeUnit.MILLISECONDS.toNanos(options.unreadTimeoutMs()));
        watchdog =
                new Watchdog(
                        loop,
                        TimeUnit.MILLISECONDS.toNanos(options.stepTimeoutMs()),
                        System::nanoTime);
        loopThread.start();
        watchdog.start();
    }

    @Override
    public ModelInfo model() {
        return model;
    }

    @Override
    public GenerationStream generate(GenerationRequest request) {
        door.requireOpen();
        RequestSpec spec = checker.check(request, texts.tokenize(request.prompt()));
        String echo = request.echo() ? texts.echo(request.prompt(), spec.prompt()) : null;
        door.enter(spec.bestOf(), spec.prompt().length);
        boolean isTaken = false;
        try {
            Request accepted = new Request(spec, request.id(), door, System.nanoTime());
            AnswerReader[] readers = readers(accepted, request.params(), echo);
            loop.put(accepted);
            isTaken = true;
            return new RequestStream(accepted, readers, logprobs, loop);
        } finally {
            if (!isTaken) { // memory ran out: the place must not be lost with the request
                door.started(spec.prompt().length);
                door.leave(spec.bestOf());
            }
        }
    }

    @Override
    public List<Embedding> embed(EmbeddingRequest request) throws InterruptedException {
        door.requireOpen();
        EmbeddingChecker.Resolved params = embeddingChecker.check(request.params());
        List<int[]> prompts = embeddingChecker.ids(request);
        EmbeddingBatch batch =
                new EmbeddingBatch(
                        loop,
                        door,
                        params,
                        request.scheduling(),
                        model.embedding().dimensions(),
                        maxNumSeqs);
        return batch.run(prompts);
    }

    private AnswerReader[] readers(Request request, SamplingParams params, @Nullable String echo) {
        AnswerReader[] readers = new AnswerReader[request.sequences.length];
        for (int i = 0; i < readers.length; i++) {
            readers[i] =
                    new AnswerReader(
                            request.sequences[i],
                            checker.filter(params),
                            logprobs,
                            params.includeStop(),
                            echo);
        }
        return readers;
    }

    @Override
    public int[] tokenize(Prompt prompt) {
        return texts.tokenize(prompt);
    }

    @Override
    public String render(Prompt.Chat chat) {
        return texts.render(chat);
    }

    @Override
    public String detokenize(int[] ids, boolean skipSpecialTokens) {
        return texts.detokenize(ids, skipSpecialTokens);
    }

    @Override
    public String tokenText(int id) {
        return texts.tokenText(id);
    }

    @Override
    public EngineStats stats() {
        return loop.counters().snapshot();
    }

    @Override
    public List<ExpertLoad> expertLoads() {
        return executor.expertLoads();
    }

    @Override
    public LogitTraffic logitTraffic() {
        return executor.logitTraffic();
    }

    @Override
    public List<RankTimes> rankTimes() {
        return executor.rankTimes();
    }

    @Override
    public List<RequestReport> reports(int max) {
        return loop.reports(max);
    }

    @Override
    public void resetPrefixCache() {
        loop.forgetPrefixes();
    }

    @Override
    public KvEventStream kvEvents(long after) {
        if (after < -1) {
            throw EngineException.invalid("after", "after must be at least -1: after=" + after);
        }
        return loop.listen(sharedKeys).read(after);
    }

    @Override
    public @Nullable EngineException failure() {
        return loop.failure();
    }

    @Override
    public boolean drain(long timeoutMs) throws InterruptedException {
        door.shut(new EngineException(EngineException.Code.CLOSED, "the engine drains"));
        return door.awaitEmpty(timeoutMs);
    }

    @Override
    public void close() {
        if (!closed.compareAndSet(false, true)) {
            return;
        }
        loop.close();
        boolean interrupted = false;
        boolean hasLeft = false;
        while (!hasLeft && !loop.watch().isGivenUp()) {
            try {
                hasLeft = loopThread.join(CLOSE_PATIENCE);
                if (!hasLeft) {
                    loop.giveUp(loop.watch().call(), closedInAStep());
                }
            } catch (InterruptedException _) {
                interrupted = true; // memory may be freed only once the loop has left it
            }
        }
        watchdog.close();
        if (hasLeft) {
            executor.close();
        } else {
            Thread.ofPlatform().daemon().name("cortado-closer").start(this::closeLater);
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    private static EngineException closedInAStep() {
        return new EngineException(
                EngineException.Code.CLOSED, "the engine was closed, in a step that takes long");
    }

    /** A step that was given up may still write: its memory is freed once it has ended, if ever. */
    private void closeLater() {
        LOG.log(
                System.Logger.Level.WARNING,
                "the engine was closed in a step: its memory is freed when the step has ended");
        try {
            loopThread.join();
            executor.close();
        } catch (InterruptedException e) {
            throw new IllegalStateException("nobody interrupts the closer", e);
        }
    }
}
