package io.cortado.server;

import io.cortado.api.Embedding;
import io.cortado.api.EmbeddingInfo;
import io.cortado.api.EmbeddingParams;
import io.cortado.api.EmbeddingRequest;
import io.cortado.api.Engine;
import io.cortado.api.EngineException;
import io.cortado.api.EngineStats;
import io.cortado.api.ExpertLoad;
import io.cortado.api.FinishReason;
import io.cortado.api.GenerationEvent;
import io.cortado.api.GenerationRequest;
import io.cortado.api.GenerationStream;
import io.cortado.api.ModelInfo;
import io.cortado.api.Pooling;
import io.cortado.api.Prompt;
import io.cortado.api.Reasoning;
import io.cortado.api.RequestReport;
import io.cortado.api.SamplingParams;
import io.cortado.api.Timings;
import io.cortado.api.TokenLogprob;
import io.cortado.api.Usage;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/**
 * An engine that answers by a script. One token is one word; the last user text chooses: {@code
 * hang} starts and then says nothing, {@code queue} never starts, {@code full}, {@code broken},
 * {@code nan} and {@code midway} fail, {@code flood} never ends, {@code slow} takes 50 ms a token,
 * {@code say A|B} says A and then B.
 */
final class FakeEngine implements Engine {
    static final int VOCAB = 1000;
    static final int END = 2;
    static final int CONTEXT = 512;
    static final int DIMENSIONS = 6;
    private static final List<String> WORDS = List.of("Hello", " there", ",", " wörld", " 🙂", ".");

    final AtomicInteger cancelled = new AtomicInteger();
    final AtomicInteger active = new AtomicInteger();
    final List<GenerationRequest> seen = new CopyOnWriteArrayList<>();
    final List<EmbeddingRequest> embedded = new CopyOnWriteArrayList<>();
    final List<RequestReport> reports = new CopyOnWriteArrayList<>();
    final AtomicInteger resets = new AtomicInteger();
    private volatile boolean isClosed;
    volatile boolean isSlow;
    volatile List<ExpertLoad> expertLoads = List.of();
    private final @Nullable Reasoning reasoning;
    private final boolean writesCalls;
    volatile @Nullable EngineException failure;

    FakeEngine() {
        this(null, false);
    }

    /**
     * @param writesCalls its template writes tool calls in the form of Hermes
     */
    FakeEngine(@Nullable Reasoning reasoning, boolean writesCalls) {
        this.reasoning = reasoning;
        this.writesCalls = writesCalls;
    }

    @Override
    public ModelInfo model() {
        return new ModelInfo(
                "fake",
                "FakeForCausalLM",
                CONTEXT,
                VOCAB,
                List.of(END),
                true,
                true,
                reasoning,
                SamplingParams.builder().temperature(0.7f).build(),
                new EmbeddingInfo(DIMENSIONS, Pooling.MEAN, true, CONTEXT, true, List.of(), null),
                42,
                "fake");
    }

    @Override
    public GenerationStream generate(GenerationRequest request) {
        if (isClosed) {
            throw new EngineException(EngineException.Code.CLOSED, "closed");
        }
        if (failure != null) {
            throw failure;
        }
        int[] ids = tokenize(request.prompt());
        int max = request.params().maxTokens();
        if (max != Integer.MAX_VALUE && ids.length + max > CONTEXT) {
            throw new EngineException(
                    EngineException.Code.CONTEXT_LENGTH_EXCEEDED,
                    "prompt and output must fit: prompt=" + ids.length + " limit=" + CONTEXT,
                    "messages");
        }
        String script = script(request.prompt());
        if (script.equals("full")) {
            throw new EngineException(EngineException.Code.QUEUE_FULL, "queue full: limit=1");
        }
        if (script.equals("broken")) {
            throw new IllegalStateException("secret /path/of/ours");
        }
        seen.add(request);
        active.incrementAndGet();
        Stream stream = new Stream(request, ids, script);
        Thread.ofVirtual().start(stream::play);
        return stream;
    }

    private static String script(Prompt prompt) {
        return switch (prompt) {
            case Prompt.Text text -> text.text();
            case Prompt.Tokens _ -> "";
            case Prompt.Chat chat -> String.valueOf(chat.messages().getLast().get("content"));
        };
    }

    /** Gives the prompt's length and then ever smaller numbers; the same words choose. */
    @Override
    public List<Embedding> embed(EmbeddingRequest request) throws InterruptedException {
        List<Embedding> all = new ArrayList<>();
        embedded.add(request);
        for (Prompt prompt : request.prompts()) {
            switch (script(prompt)) {
                case "full" ->
                        throw new EngineException(
                                EngineException.Code.QUEUE_FULL, "queue full: limit=1");
                case "broken" -> throw new IllegalStateException("secret /path/of/ours");
                case "nan" ->
                        throw new EngineException(
                                EngineException.Code.NOT_FINITE, "secret io.cortado.X");
                case "hang" -> hangUntilInterrupted();
                default -> all.add(embedding(tokenize(prompt), request.params()));
            }
        }
        return all;
    }

    private void hangUntilInterrupted() throws InterruptedException {
        active.incrementAndGet();
        try {
            new CountDownLatch(1).await();
        } finally {
            active.decrementAndGet();
            cancelled.incrementAndGet();
        }
    }

    private static Embedding embedding(int[] ids, EmbeddingParams params) {
        if (ids.length > CONTEXT) {
            throw new EngineException(
                    EngineException.Code.CONTEXT_LENGTH_EXCEEDED,
                    "input is longer than the " + CONTEXT + " tokens: tokens=" + ids.length,
                    "input");
        }
        float[] values = new float[params.dimensions() == null ? DIMENSIONS : params.dimensions()];
        for (int i = 0; i < values.length; i++) {
            values[i] = ids.length / (i + 1f);
        }
        return new Embedding(values, ids.length, new Timings(1_000_000, 2_000_000, 2_000_000, 0));
    }

    @Override
    public int[] tokenize(Prompt prompt) {
        if (prompt instanceof Prompt.Tokens tokens) {
            return tokens.ids();
        }
        String text = prompt instanceof Prompt.Chat chat ? render(chat) : script(prompt);
        return text.chars().map(c -> c % VOCAB).toArray();
    }

    @Override
    public String render(Prompt.Chat chat) {
        StringBuilder out = new StringBuilder();
        chat.messages()
                .forEach(m -> out.append(m.get("role")).append(':').append(m.get("content")));
        if (writesCalls && chat.messages().toString().contains("tool_calls")) {
            out.append("<tool_call>\n{\"name\": \"probe_tool\", \"arguments\": {\"x\": \"y\"}}\n");
            out.append("</tool_call>");
        }
        return out.toString();
    }

    @Override
    public String detokenize(int[] ids, boolean skipSpecialTokens) {
        StringBuilder out = new StringBuilder();
        for (int id : ids) {
            out.append((char) id);
        }
        return out.toString();
    }

    @Override
    public String tokenText(int id) {
        return "<" + id + ">";
    }

    @Override
    public EngineStats stats() {
        if (isClosed) {
            throw new EngineException(EngineException.Code.CLOSED, "closed");
        }
        return new EngineStats(
                active.get(),
                3,
                1,
                5,
                10,
                7,
                14,
                3,
                4,
                0,
                1000,
                5000,
                new EngineStats.StepTokens(Collections.nCopies(14, 1L), 70),
                new EngineStats.Cache(16, 2, 0, 4, 1, 9, 6, 2, 3, 5),
                new EngineStats.Drafts(4, 12, 7, List.of(4L, 2L, 1L), 500),
                new EngineStats.LateMasks(3, 2, 1),
                new EngineStats.Guards(11, 2, 1, 0, isSlow ? 1_500_000_000L : 0, isSlow, 0));
    }

    @Override
    public List<ExpertLoad> expertLoads() {
        return expertLoads;
    }

    @Override
    public List<RequestReport> reports(int max) {
        return reports.reversed().stream().limit(max).toList();
    }

    @Override
    public void resetPrefixCache() {
        resets.incrementAndGet();
    }

    private RequestReport report(GenerationRequest request, int prompt, int tokens) {
        RequestReport report =
                Reports.report(
                        request.id(),
                        request.scheduling().tenant(),
                        reports.size(),
                        prompt,
                        tokens);
        reports.add(report);
        return report;
    }

    @Override
    public @Nullable EngineException failure() {
        return failure;
    }

    @Override
    public boolean drain(long timeoutMs) {
        return true;
    }

    @Override
    public void close() {
        isClosed = true;
    }

    /** Plays one request. */
    private final class Stream implements GenerationStream {
        private static final GenerationEvent OVER =
                new GenerationEvent.Started(new int[] {-1}); // after it, next() gives null

        private final GenerationRequest request;
        private final int[] promptIds;
        private final String script;
        private final BlockingQueue<GenerationEvent> events = new LinkedBlockingQueue<>(10_000);
        private volatile boolean isCancelled;
        private boolean isOver;

        Stream(GenerationRequest request, int[] promptIds, String script) {
            this.request = request;
            this.promptIds = promptIds;
            this.script = script;
        }

        void play() {
            try {
                playAll();
                put(OVER);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            } finally {
                active.decrementAndGet();
            }
        }

        private void playAll() throws InterruptedException {
            if (script.equals("queue")) {
                hang();
            } else {
                put(new GenerationEvent.Started(promptIds));
            }
            if (request.params().promptLogprobs() != null) {
                List<@Nullable TokenLogprob> scores = new ArrayList<>();
                for (int i = 0; i < promptIds.length; i++) {
                    scores.add(i == 0 ? null : score(promptIds[i], "p"));
                }
                put(new GenerationEvent.PromptScored(scores));
            }
            if (script.equals("nan")) {
                fail(EngineException.Code.NOT_FINITE);
                return;
            }
            int tokens = 0;
            for (int index = 0; index < request.params().n(); index++) {
                if (request.echo()) {
                    delta(index, new int[0], script, null);
                }
                tokens += answer(index);
                if (tokens < 0) {
                    return;
                }
            }
            put(
                    new GenerationEvent.Completed(
                            new Usage(promptIds.length, tokens, 1, 3, 2),
                            new Timings(1_000_000, 2_000_000, 10_000_000, tokens),
                            report(request, promptIds.length, tokens)));
        }

        private int answer(int index) throws InterruptedException {
            if (script.equals("hang")) {
                hang();
            }
            int count = 0;
            List<String> said =
                    script.startsWith("say ") ? List.of(script.substring(4).split("\\|")) : WORDS;
            int words = script.equals("flood") ? Integer.MAX_VALUE : said.size();
            int max = Math.min(request.params().maxTokens(), words);
            while (count < max && !isCancelled) {
                String word = said.get(count % said.size());
                delta(index, new int[] {100 + count % said.size()}, word, score(100, word));
                count++;
                if (script.equals("midway") && count == 2) {
                    fail(EngineException.Code.INTERNAL);
                    return -1_000_000;
                }
                if (script.equals("slow")) {
                    Thread.sleep(50);
                }
            }
            FinishReason reason =
                    isCancelled
                            ? new FinishReason.Cancelled()
                            : count == words
                                    ? new FinishReason.EndToken(END)
                                    : new FinishReason.Length();
            if (count == words) {
                delta(index, new int[] {END}, "", score(END, ""));
            }
            put(new GenerationEvent.Finished(index, reason));
            return count;
        }

        private void delta(int index, int[] ids, String text, @Nullable TokenLogprob score)
                throws InterruptedException {
            boolean scored = score != null && request.params().logprobs() != null;
            List<TokenLogprob> scores = scored ? List.of(score) : null;
            put(new GenerationEvent.Delta(index, ids, text, scores));
        }

        private TokenLogprob score(int id, String text) {
            byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
            Integer k = request.params().logprobs();
            List<TokenLogprob> top = new ArrayList<>();
            for (int i = 0; k != null && i < k; i++) {
                float p = i == 0 ? -0.5f : Float.NEGATIVE_INFINITY;
                top.add(new TokenLogprob(id + i, text + i, bytes, p, i + 1, List.of()));
            }
            return new TokenLogprob(id, text, bytes, -0.5f, 1, top);
        }

        /** A reader that has left never makes room. */
        private void put(GenerationEvent event) throws InterruptedException {
            while (!events.offer(event, 10, TimeUnit.MILLISECONDS)) {
                if (isCancelled) {
                    events.clear();
                }
            }
        }

        private void hang() throws InterruptedException {
            while (!isCancelled) {
                Thread.sleep(5);
            }
        }

        private void fail(EngineException.Code code) throws InterruptedException {
            put(new GenerationEvent.Failed(new EngineException(code, "secret io.cortado.X")));
        }

        @Override
        public @Nullable GenerationEvent next() throws InterruptedException {
            if (isOver) {
                return null;
            }
            GenerationEvent event = events.take();
            isOver = event.equals(OVER);
            return isOver ? null : event;
        }

        @Override
        public void cancel() {
            if (!isCancelled && !isOver) {
                isCancelled = true;
                cancelled.incrementAndGet();
            }
        }

        @Override
        public void close() {
            cancel();
        }
    }
}
