package io.cortado.api;

import java.nio.file.Path;
import java.util.List;
import java.util.ServiceLoader;
import org.jspecify.annotations.Nullable;

/**
 * An LLM in this process: continuous batching over a paged KV cache. Safe for any number of
 * threads; callers are best virtual threads.
 *
 * {@snippet :
 * try (Engine engine = Engine.open(Path.of("model"), EngineOptions.defaults());
 *         GenerationStream stream = engine.generate(
 *                 new GenerationRequest(Prompt.user("What is paged attention?"), SamplingParams.greedy(64)))) {
 *     for (GenerationEvent event = stream.next(); event != null; event = stream.next()) {
 *         if (event instanceof GenerationEvent.Delta delta) {
 *             System.out.print(delta.text());
 *         }
 *     }
 * }
 * }
 */
public interface Engine extends AutoCloseable {

    /**
     * Loads a checkpoint folder ({@code config.json}, {@code *.safetensors}, and for text {@code
     * tokenizer.json}), a {@code .gguf} file, which holds all of it, or a model of the local
     * Hugging Face cache by the name {@code ORG/NAME}, and starts the engine.
     *
     * @throws EngineException INVALID_MODEL or UNSUPPORTED_MODEL with the file, the value and the
     *     limit; WEIGHTS_DO_NOT_FIT, WORKSPACE_DOES_NOT_FIT or KV_DOES_NOT_FIT with what helps,
     *     before a weight is read; nothing stays allocated
     */
    static Engine open(Path model, EngineOptions options) {
        return provider().open(model, options);
    }

    /**
     * Is a rank of a gang that serves nobody: computes for those that do, until they end.
     *
     * @param options whose {@link GangOptions#serves} is false
     * @throws EngineException as {@link #open}; DEVICE_LOST if the gang fails
     */
    static void follow(Path model, EngineOptions options) {
        provider().follow(model, options);
    }

    /**
     * What {@link #open} would take and how fast the engine would answer, from the model's
     * configuration and the headers of its files; no weight is read. The device's rates are
     * measured where the user's cache folder does not have them yet, which takes some seconds.
     *
     * @throws EngineException INVALID_MODEL, UNSUPPORTED_MODEL or INVALID_REQUEST as {@link #open};
     *     what does not fit is a {@link EnginePlan#refusal}
     */
    static EnginePlan plan(Path model, EngineOptions options, PlanLoad load) {
        return provider().plan(model, options, load);
    }

    /**
     * How the attention and the experts of a model would best be placed on ranks of their own, and
     * what that gives beside having them together; no weight is read. Of the options those count
     * that name the model, its types and the device whose memory and rates a rank has.
     *
     * @throws EngineException as {@link #plan}, and UNSUPPORTED_MODEL where the model has no
     *     experts; what does not fit is a {@link RankPlan#refusal}
     */
    static RankPlan planRanks(Path model, EngineOptions options, RankLoad load) {
        return provider().planRanks(model, options, load);
    }

    /**
     * What the device of these options does at best, from the user's cache folder where it is
     * known.
     *
     * @param again measures now, and forgets what was known
     * @throws EngineException INVALID_REQUEST if the device is not there or computes for tests
     */
    static DeviceRates rates(EngineOptions options, boolean again) {
        return provider().rates(options, again);
    }

    /** The kinds of devices, each as it is on this machine: opened and closed again. */
    static List<DeviceStatus> devices() {
        return provider().devices();
    }

    private static EngineProvider provider() {
        return ServiceLoader.load(EngineProvider.class, Engine.class.getClassLoader())
                .findFirst()
                .orElseThrow(() ->
                        new EngineException(
                                EngineException.Code.INTERNAL, "no EngineProvider is on the path"));
    }

    /** What was loaded. */
    ModelInfo model();

    /**
     * Starts a generation. The request is checked here, before anything is allocated for it.
     *
     * @throws EngineException INVALID_REQUEST, CONTEXT_LENGTH_EXCEEDED, QUEUE_FULL, CLOSED, or
     *     {@link #failure} itself
     */
    GenerationStream generate(GenerationRequest request);

    /**
     * Waits for an answer that is a record, drawn by the model's own sampling parameters.
     *
     * {@snippet :
     * record Person(String name, int age) {}
     * Person person = engine.generate(Prompt.user("Invent a person."), Person.class);
     * }
     *
     * @throws IllegalArgumentException as {@link RecordType#of} and {@link RecordType#parse}
     * @throws EngineException as {@link #generate(GenerationRequest)} and its stream, and
     *     INVALID_REQUEST if the context ends before the record does
     * @throws InterruptedException if the thread was interrupted; the request is cancelled then
     */
    default <T extends Record> T generate(Prompt prompt, Class<T> type)
            throws InterruptedException {
        SamplingParams params = model().defaults().toBuilder().maxTokens(Integer.MAX_VALUE).build();
        return generate(new GenerationRequest(prompt, params), type);
    }

    /**
     * The same with parameters: of one answer, without a constraint, echo and stop strings of its
     * own; INVALID_REQUEST too if {@code max_tokens} come before the record's end.
     */
    default <T extends Record> T generate(GenerationRequest request, Class<T> type)
            throws InterruptedException {
        return RecordAnswer.of(this, request, RecordType.of(type));
    }

    /**
     * The embeddings of prompts, in their order. Waits until all are there; all were checked before
     * the first ran. They share steps with generations, and a batch of any number takes no more
     * places at once than the engine runs sequences.
     *
     * @throws EngineException as {@link #generate}, with {@code input} as the field, and NOT_FINITE
     * @throws InterruptedException if the thread was interrupted; what still ran is cancelled then
     */
    List<Embedding> embed(EmbeddingRequest request) throws InterruptedException;

    /**
     * The ids of a prompt: what {@link #generate} would run.
     *
     * @throws EngineException INVALID_REQUEST if the model has no tokenizer or chat template that
     *     the prompt needs
     */
    int[] tokenize(Prompt prompt);

    /** The text that the chat template makes of a chat, without tokenizing it. */
    String render(Prompt.Chat chat);

    /** The text of ids. Ids outside the vocabulary are refused with INVALID_REQUEST. */
    String detokenize(int[] ids, boolean skipSpecialTokens);

    /** The token's own spelling, for display. */
    String tokenText(int id);

    /** A snapshot of the scheduler's and the cache's state; cheap, any thread. */
    EngineStats stats();

    /**
     * How often the experts of each layer were chosen, as of a moment ago while steps run and to
     * the last token when none does; empty where the model has no experts. Cheap, any thread.
     */
    List<ExpertLoad> expertLoads();

    /**
     * How long the ranks of this process have waited for each other; empty where experts are on no
     * others. Cheap, any thread.
     */
    default List<RankTimes> rankTimes() {
        return List.of();
    }

    /** What ranks that share the model out have sent of their logits. Cheap, any thread. */
    default LogitTraffic logitTraffic() {
        return LogitTraffic.NONE;
    }

    /**
     * The requests that are live and the last ones that have ended, newest first, at most {@code
     * max} of them. What is told of a live one may be of different steps.
     */
    List<RequestReport> reports(int max);

    /** Forgets cached prefixes that no request uses, before the next step is chosen. */
    void resetPrefixCache();

    /**
     * What the prefix cache gains and loses: for routers that send a prompt where its beginning is.
     * The first call makes the engine keep events, beginning with a {@link KvEvent.Stored} for each
     * block that is there, in any order; until then they cost nothing.
     *
     * @param after number of the last event known, as to go on after a lost connection; -1: none,
     *     that is, from the oldest event kept
     * @throws EngineException INVALID_REQUEST if this engine tells no events
     */
    default KvEventStream kvEvents(long after) {
        throw EngineException.invalid("kv-events", "this engine tells no events of its cache");
    }

    /**
     * Why the engine has stopped for good, as after a fault of the device: every request has failed
     * with it, and so does each new one. Null while the engine works; being closed is no fault.
     */
    @Nullable EngineException failure();

    /**
     * No new requests from now on; returns when the running ones have ended or the time is over.
     */
    boolean drain(long timeoutMs) throws InterruptedException;

    /** Ends every running stream with a CLOSED failure, then frees everything. */
    @Override
    void close();
}
