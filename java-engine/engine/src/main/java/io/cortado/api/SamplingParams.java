package io.cortado.api;

import java.util.Collection;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * How tokens are chosen and when to stop. Names and ranges are vLLM's, and llama.cpp's where vLLM
 * has none.
 *
 * @param n answers to one prompt, 1 to 128
 * @param bestOf answers that are made, n to 128: the n with the largest sum of log-probabilities
 *     are given, once all have ended
 * @param seed makes the answer reproducible whatever shares the batch; null: a new one
 * @param temperature 0 to 2; below 1e-5 greedy
 * @param order the steps that run and in which order; each that is on has to be in it
 * @param logitsProcessors names of {@link LogitsProcessor processors} that change each row of
 *     logits before all else, in this order; at most 8
 * @param skipSpecialTokens control tokens give no text
 * @param constraint what each answer has to be; null: anything
 */
public record SamplingParams(
        int n,
        int bestOf,
        @Nullable Long seed,
        float temperature,
        DynamicTemperature dynamicTemperature,
        Truncation truncation,
        Xtc xtc,
        Mirostat mirostat,
        Penalties penalties,
        Dry dry,
        TokenRules tokens,
        List<SamplingStep> order,
        List<String> logitsProcessors,
        Stopping stopping,
        Scoring scoring,
        boolean skipSpecialTokens,
        @Nullable Constraint constraint) {

    /** Below this temperature the likeliest token is taken. */
    public static final float GREEDY_BELOW = 1e-5f;

    private static final int MAX_N = 128;
    private static final int MAX_PROCESSORS = 8;

    public SamplingParams {
        order = List.copyOf(order);
        logitsProcessors = List.copyOf(logitsProcessors);
        Ranges.within("n", 1, MAX_N, n);
        Ranges.require(
                bestOf >= n && bestOf <= MAX_N,
                "best_of",
                "in [n=" + n + ", " + MAX_N + "]",
                bestOf);
        Ranges.within("temperature", 0, 2, temperature);
        Ranges.require(
                logitsProcessors.size() <= MAX_PROCESSORS,
                "logits_processors",
                "at most " + MAX_PROCESSORS + " names",
                logitsProcessors.size());
        boolean isGreedy = temperature < GREEDY_BELOW;
        Ranges.require(
                !isGreedy || dynamicTemperature.isOff(),
                "dynatemp_range",
                "0 where temperature=" + temperature + " is greedy",
                dynamicTemperature.range());
        new StepOrder()
                .truncation(truncation)
                .on(SamplingStep.XTC, !xtc.isOff())
                .mirostat(mirostat)
                .on(SamplingStep.PENALTIES, !penalties.areOff())
                .on(SamplingStep.DRY, !dry.isOff())
                .on(SamplingStep.TEMPERATURE, !isGreedy && temperature != 1)
                .on(SamplingStep.TEMPERATURE, !dynamicTemperature.isOff())
                .requireIn(order);
    }

    /**
     * The same with every step off that is not among these: how a model's defaults give way to a
     * request that says which steps it wants.
     */
    public SamplingParams only(Collection<SamplingStep> steps) {
        boolean isTempered = isGreedy() || steps.contains(SamplingStep.TEMPERATURE);
        boolean isDynamic = steps.contains(SamplingStep.TEMPERATURE);
        return toBuilder()
                .temperature(isTempered ? temperature : 1)
                .dynamicTemperature(isDynamic ? dynamicTemperature : DynamicTemperature.OFF)
                .truncation(truncation.only(steps))
                .xtc(steps.contains(SamplingStep.XTC) ? xtc : Xtc.OFF)
                .penalties(steps.contains(SamplingStep.PENALTIES) ? penalties : Penalties.NONE)
                .dry(steps.contains(SamplingStep.DRY) ? dry : Dry.OFF)
                .build();
    }

    /** True if the row takes the likeliest token. */
    public boolean isGreedy() {
        return temperature < GREEDY_BELOW;
    }

    public float topP() {
        return truncation.topP();
    }

    public int topK() {
        return truncation.topK();
    }

    public float minP() {
        return truncation.minP();
    }

    public int maxTokens() {
        return stopping.maxTokens();
    }

    public int minTokens() {
        return stopping.minTokens();
    }

    public List<String> stop() {
        return stopping.stop();
    }

    public List<Integer> stopTokenIds() {
        return stopping.stopTokenIds();
    }

    public boolean includeStop() {
        return stopping.includeStop();
    }

    public boolean ignoreEos() {
        return stopping.ignoreEos();
    }

    public @Nullable Integer logprobs() {
        return scoring.logprobs();
    }

    public @Nullable Integer promptLogprobs() {
        return scoring.promptLogprobs();
    }

    public Map<Integer, Float> logitBias() {
        return tokens.logitBias();
    }

    public static Builder builder() {
        return new Builder();
    }

    /** The likeliest token at each step, at most {@code maxTokens} of them. */
    public static SamplingParams greedy(int maxTokens) {
        return builder().temperature(0).maxTokens(maxTokens).build();
    }

    public Builder toBuilder() {
        Builder b = new Builder();
        b.n = n;
        b.bestOf = bestOf == n ? null : bestOf;
        b.seed = seed;
        b.temperature = temperature;
        b.dynamicTemperature = dynamicTemperature;
        b.truncation = truncation;
        b.xtc = xtc;
        b.mirostat = mirostat;
        b.penalties = penalties;
        b.dry = dry;
        b.tokens = tokens;
        b.order = order;
        b.logitsProcessors = logitsProcessors;
        b.maxTokens = stopping.maxTokens();
        b.minTokens = stopping.minTokens();
        b.stop = stopping.stop();
        b.stopTokenIds = stopping.stopTokenIds();
        b.includeStop = stopping.includeStop();
        b.ignoreEos = stopping.ignoreEos();
        b.scoring = scoring;
        b.skipSpecialTokens = skipSpecialTokens;
        b.constraint = constraint;
        return b;
    }

    /** Collects parameters; {@link #build} checks them. */
    public static final class Builder {
        private int n = 1;
        private @Nullable Integer bestOf;
        private @Nullable Long seed;
        private float temperature = 1;
        private DynamicTemperature dynamicTemperature = DynamicTemperature.OFF;
        private Truncation truncation = Truncation.NONE;
        private Xtc xtc = Xtc.OFF;
        private Mirostat mirostat = Mirostat.OFF;
        private Penalties penalties = Penalties.NONE;
        private Dry dry = Dry.OFF;
        private TokenRules tokens = TokenRules.NONE;
        private List<SamplingStep> order = SamplingStep.DEFAULT_ORDER;
        private List<String> logitsProcessors = List.of();
        private int maxTokens = 16;
        private int minTokens = 0;
        private List<String> stop = List.of();
        private List<Integer> stopTokenIds = List.of();
        private boolean includeStop;
        private boolean ignoreEos;
        private Scoring scoring = Scoring.NONE;
        private boolean skipSpecialTokens = true;
        private @Nullable Constraint constraint;

        private Builder() {}

        public Builder n(int value) {
            n = value;
            return this;
        }

        /** Null: as many as n. */
        public Builder bestOf(@Nullable Integer value) {
            bestOf = value;
            return this;
        }

        public Builder seed(@Nullable Long value) {
            seed = value;
            return this;
        }

        public Builder temperature(float value) {
            temperature = value;
            return this;
        }

        public Builder dynamicTemperature(DynamicTemperature value) {
            dynamicTemperature = value;
            return this;
        }

        public Builder truncation(Truncation value) {
            truncation = value;
            return this;
        }

        public Builder topP(float value) {
            truncation = truncation.topP(value);
            return this;
        }

        public Builder topK(int value) {
            truncation = truncation.topK(value);
            return this;
        }

        public Builder minP(float value) {
            truncation = truncation.minP(value);
            return this;
        }

        public Builder xtc(Xtc value) {
            xtc = value;
            return this;
        }

        public Builder mirostat(Mirostat value) {
            mirostat = value;
            return this;
        }

        public Builder penalties(Penalties value) {
            penalties = value;
            return this;
        }

        public Builder dry(Dry value) {
            dry = value;
            return this;
        }

        public Builder tokens(TokenRules value) {
            tokens = value;
            return this;
        }

        public Builder logitBias(Map<Integer, Float> value) {
            tokens = tokens.logitBias(value);
            return this;
        }

        public Builder order(List<SamplingStep> value) {
            order = value;
            return this;
        }

        public Builder logitsProcessors(List<String> value) {
            logitsProcessors = value;
            return this;
        }

        public Builder maxTokens(int value) {
            maxTokens = value;
            return this;
        }

        public Builder minTokens(int value) {
            minTokens = value;
            return this;
        }

        public Builder stop(List<String> value) {
            stop = value;
            return this;
        }

        public Builder stopTokenIds(List<Integer> value) {
            stopTokenIds = value;
            return this;
        }

        public Builder includeStop(boolean value) {
            includeStop = value;
            return this;
        }

        public Builder ignoreEos(boolean value) {
            ignoreEos = value;
            return this;
        }

        public Builder scoring(Scoring value) {
            scoring = value;
            return this;
        }

        public Builder logprobs(@Nullable Integer value) {
            scoring = scoring.logprobs(value);
            return this;
        }

        public Builder promptLogprobs(@Nullable Integer value) {
            scoring = scoring.promptLogprobs(value);
            return this;
        }

        public Builder skipSpecialTokens(boolean value) {
            skipSpecialTokens = value;
            return this;
        }

        public Builder constraint(@Nullable Constraint value) {
            constraint = value;
            return this;
        }

        public SamplingParams build() {
            return new SamplingParams(
                    n,
                    bestOf == null ? n : bestOf,
                    seed,
                    temperature,
                    dynamicTemperature,
                    truncation,
                    xtc,
                    mirostat,
                    penalties,
                    dry,
                    tokens,
                    order,
                    logitsProcessors,
                    new Stopping(maxTokens, minTokens, stop, stopTokenIds, includeStop, ignoreEos),
                    scoring,
                    skipSpecialTokens,
                    constraint);
        }
    }
}
