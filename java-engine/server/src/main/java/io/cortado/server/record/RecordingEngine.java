package io.cortado.server.record;

import io.cortado.api.Embedding;
import io.cortado.api.EmbeddingRequest;
import io.cortado.api.Engine;
import io.cortado.api.EngineException;
import io.cortado.api.EngineStats;
import io.cortado.api.ExpertLoad;
import io.cortado.api.GenerationEvent;
import io.cortado.api.GenerationRequest;
import io.cortado.api.GenerationStream;
import io.cortado.api.KvEventStream;
import io.cortado.api.LogitTraffic;
import io.cortado.api.ModelInfo;
import io.cortado.api.Prompt;
import io.cortado.api.RankTimes;
import io.cortado.api.RequestReport;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/**
 * An engine whose generations are recorded: prompts as ids, parameters, seeds (one is drawn where a
 * request has none), and what its reader has got. Owns the engine behind it. Embeddings, which draw
 * nothing, pass.
 */
public final class RecordingEngine implements Engine {
    private final Engine engine;
    private final RecordWriter writer;
    private final long startNanos = System.nanoTime();
    private final AtomicLong numbers = new AtomicLong();

    /**
     * Owns the engine from here on; not if this throws.
     *
     * @throws IOException if the file exists already, or cannot be written
     */
    public RecordingEngine(Engine engine, Path file, RecordHeader header) throws IOException {
        this.engine = engine;
        this.writer = new RecordWriter(file, header);
    }

    @Override
    public GenerationStream generate(GenerationRequest request) {
        double at = (System.nanoTime() - startNanos) / 1e6;
        GenerationRequest seeded = seeded(request);
        return new Stream(engine.generate(seeded), seeded, numbers.getAndIncrement(), at);
    }

    private static GenerationRequest seeded(GenerationRequest request) {
        if (request.params().seed() != null) {
            return request;
        }
        long seed = ThreadLocalRandom.current().nextLong();
        return request.params(request.params().toBuilder().seed(seed).build());
    }

    /** Passes events on and keeps their ids. */
    private final class Stream implements GenerationStream {
        private final GenerationStream stream;
        private final GenerationRequest request;
        private final long number;
        private final double arrivalMillis;
        private final Collected collected;
        private final AtomicBoolean isOver = new AtomicBoolean();
        private volatile boolean hasArrived;

        Stream(
                GenerationStream stream,
                GenerationRequest request,
                long number,
                double arrivalMillis) {
            this.stream = stream;
            this.request = request;
            this.number = number;
            this.arrivalMillis = arrivalMillis;
            this.collected = new Collected(request.params().n());
        }

        @Override
        public @Nullable GenerationEvent next() throws InterruptedException {
            GenerationEvent event = stream.next();
            switch (event) {
                case null -> over();
                case GenerationEvent.Started started -> arrived(started.promptIds());
                case GenerationEvent.Failed _, GenerationEvent.Completed _ -> {
                    collected.take(event);
                    over();
                }
                default -> collected.take(event);
            }
            return event;
        }

        /** Only here are the ids known that a text has become. */
        private void arrived(int[] promptIds) {
            GenerationRequest exact =
                    new GenerationRequest(
                            new Prompt.Tokens(promptIds),
                            request.params(),
                            request.echo(),
                            request.scheduling(),
                            request.id());
            writer.arrived(new RecordedRequest(number, arrivalMillis, exact, null));
            hasArrived = true;
        }

        private void over() {
            if (hasArrived && isOver.compareAndSet(false, true)) {
                writer.ended(number, collected.outcome());
            }
        }

        @Override
        public void cancel() {
            stream.cancel();
        }

        /** The reader's last call: what it has not read is not recorded. */
        @Override
        public void close() {
            stream.close();
            over();
        }
    }

    @Override
    public ModelInfo model() {
        return engine.model();
    }

    @Override
    public List<Embedding> embed(EmbeddingRequest request) throws InterruptedException {
        return engine.embed(request);
    }

    @Override
    public int[] tokenize(Prompt prompt) {
        return engine.tokenize(prompt);
    }

    @Override
    public String render(Prompt.Chat chat) {
        return engine.render(chat);
    }

    @Override
    public String detokenize(int[] ids, boolean skipSpecialTokens) {
        return engine.detokenize(ids, skipSpecialTokens);
    }

    @Override
    public String tokenText(int id) {
        return engine.tokenText(id);
    }

    @Override
    public EngineStats stats() {
        return engine.stats();
    }

    @Override
    public List<ExpertLoad> expertLoads() {
        return engine.expertLoads();
    }

    @Override
    public LogitTraffic logitTraffic() {
        return engine.logitTraffic();
    }

    @Override
    public List<RankTimes> rankTimes() {
        return engine.rankTimes();
    }

    @Override
    public List<RequestReport> reports(int max) {
        return engine.reports(max);
    }

    @Override
    public void resetPrefixCache() {
        engine.resetPrefixCache();
    }

    @Override
    public KvEventStream kvEvents(long after) {
        return engine.kvEvents(after);
    }

    @Override
    public @Nullable EngineException failure() {
        return engine.failure();
    }

    @Override
    public boolean drain(long timeoutMs) throws InterruptedException {
        return engine.drain(timeoutMs);
    }

    @Override
    public void close() {
        engine.close();
        writer.close();
    }
}
