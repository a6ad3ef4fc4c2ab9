package io.cortado.engine;

import io.cortado.api.EngineException;
import io.cortado.api.GenerationRequest;
import io.cortado.api.SamplingParams;
import io.cortado.kv.BlockPool;
import io.cortado.text.StopStrings;
import io.cortado.text.StreamingDecoder;
import io.cortado.text.Tokenizer;
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** Checks a request against what was loaded, before anything is allocated for it. Any thread. */
final class RequestChecker {
    /** Log-probabilities that one prompt may ask for, its tokens' own included. */
    private static final int MAX_PROMPT_SCORES = 1 << 20;

    private final int vocabSize;
    private final SamplingChecker sampling;
    private final int maxModelLen;
    private final int maxCachedTokens;
    private final List<Integer> endTokenIds;
    private final @Nullable Tokenizer tokenizer;
    private final PrefixKeys prefixes;

    RequestChecker(
            int vocabSize,
            int maxModelLen,
            int numBlocks,
            List<Integer> endTokenIds,
            @Nullable Tokenizer tokenizer,
            SamplingChecker sampling,
            PrefixKeys prefixes) {
        this.prefixes = prefixes;
        this.sampling = sampling;
        this.vocabSize = vocabSize;
        this.maxModelLen = maxModelLen;
        this.maxCachedTokens =
                (int) Math.min(Integer.MAX_VALUE, (long) BlockPool.BLOCK_TOKENS * numBlocks);
        this.endTokenIds = endTokenIds;
        this.tokenizer = tokenizer;
    }

    RequestSpec check(GenerationRequest request, int[] prompt) {
        SamplingParams params = request.params();
        checkPrompt(prompt);
        checkScores(prompt, params);
        int maxOutput = maxOutput(prompt.length, params, request.echo());
        int minTokens = Math.min(params.minTokens(), maxOutput);
        int[] endIds = endIds(params);
        Supplier<@Nullable TextFilter> searcher = searcher(params);
        return new RequestSpec(
                prompt,
                params.n(),
                params.bestOf(),
                maxOutput,
                params.seed() != null ? params.seed() : ThreadLocalRandom.current().nextLong(),
                sampling.check(params, prompt, endIds),
                params.logprobs() == null ? -1 : params.logprobs(),
                params.promptLogprobs() == null ? -1 : params.promptLogprobs(),
                request.scheduling(),
                prefixes.of(
                        prompt,
                        params.bestOf(),
                        prompt.length + maxOutput,
                        request.scheduling().cacheSalt()),
                null,
                () -> new StopRules(endIds, minTokens, maxOutput, searcher.get()));
    }

    private void checkPrompt(int[] prompt) {
        if (prompt.length == 0) {
            throw EngineException.invalid("prompt", "prompt must have at least 1 token: tokens=0");
        }
        for (int i = 0; i < prompt.length; i++) {
            if (prompt[i] < 0 || prompt[i] >= vocabSize) {
                throw EngineException.invalid(
                        "prompt",
                        "prompt ids must be in [0, %d): id=%d at=%d"
                                .formatted(vocabSize, prompt[i], i));
            }
        }
    }

    private void checkScores(int[] prompt, SamplingParams params) {
        Integer tops = params.promptLogprobs();
        if (tops == null) {
            return;
        }
        if ((long) prompt.length * (1 + tops) > MAX_PROMPT_SCORES) {
            throw EngineException.invalid(
                    "prompt_logprobs",
                    "prompt_logprobs must be at most %d for %d prompt tokens: prompt_logprobs=%d"
                            .formatted(MAX_PROMPT_SCORES / prompt.length - 1, prompt.length, tops));
        }
        sampling.requireDrawable("prompt", prompt, "with prompt_logprobs");
    }

    /** The output tokens that may come, within the context and the cache. */
    private int maxOutput(int promptTokens, SamplingParams params, boolean echo) {
        boolean open = params.maxTokens() == Integer.MAX_VALUE;
        if (params.maxTokens() == 0 && !echo && params.promptLogprobs() == null) {
            throw EngineException.invalid(
                    "max_tokens", "max_tokens must be at least 1 without echo: max_tokens=0");
        }
        int wanted = open ? 1 : params.maxTokens();
        if ((long) promptTokens + wanted > maxModelLen) {
            throw tooLong("the model's context", promptTokens, wanted, maxModelLen);
        }
        if ((long) promptTokens + Math.max(0, wanted - 1) > maxCachedTokens) {
            throw tooLong("the KV cache", promptTokens, wanted, maxCachedTokens);
        }
        return open
                ? Math.min(maxModelLen - promptTokens, maxCachedTokens - promptTokens + 1)
                : wanted;
    }

    private static EngineException tooLong(String what, int prompt, int output, int limit) {
        return new EngineException(
                EngineException.Code.CONTEXT_LENGTH_EXCEEDED,
                "prompt and output do not fit into %s of %d tokens: prompt_tokens=%d max_tokens=%d total=%d"
                        .formatted(what, limit, prompt, output, (long) prompt + output),
                prompt >= limit ? "prompt" : "max_tokens");
    }

    private int[] endIds(SamplingParams params) {
        Stream<Integer> model = params.ignoreEos() ? Stream.of() : endTokenIds.stream();
        return Stream.concat(model, params.stopTokenIds().stream())
                .mapToInt(Integer::intValue)
                .filter(id -> id < vocabSize)
                .distinct()
                .toArray();
    }

    /** What the loop needs to find stop strings; makes null where there are none. */
    private Supplier<@Nullable TextFilter> searcher(SamplingParams params) {
        if (params.stop().isEmpty()) {
            return () -> null;
        }
        if (tokenizer == null) {
            throw EngineException.invalid(
                    "stop", "stop strings need a tokenizer and the model has none");
        }
        return filters(tokenizer, params);
    }

    /** The text of one answer; null for a model without a tokenizer. */
    @Nullable TextFilter filter(SamplingParams params) {
        return tokenizer == null ? null : filters(tokenizer, params).get();
    }

    private static Supplier<@Nullable TextFilter> filters(
            Tokenizer tokenizer, SamplingParams params) {
        StopStrings stops =
                params.stop().isEmpty()
                        ? null
                        : StopStrings.of(params.stop(), params.includeStop());
        return () ->
                new TextFilter(
                        new StreamingDecoder(tokenizer, params.skipSpecialTokens()),
                        stops == null ? null : stops.matcher(),
                        params.minTokens());
    }
}
