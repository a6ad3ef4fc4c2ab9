package io.cortado.engine;

import io.cortado.api.Dry;
import io.cortado.api.EngineException;
import io.cortado.api.SamplingParams;
import io.cortado.api.SamplingStep;
import io.cortado.api.Scoring;
import io.cortado.api.TokenRules;
import io.cortado.api.Truncation;
import io.cortado.device.SampleRow;
import io.cortado.device.SampleStep;
import io.cortado.sampling.Sampler;
import io.cortado.text.Tokenizer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/** What a request's parameters are in rows of the sampler. Any thread. */
final class SamplingChecker {
    private static final float BAN = -100;
    private static final int KEPT_BREAKERS = 8;
    private static final int[] NO_IDS = {};
    private static final float[] NO_VALUES = {};

    private final int width;
    private final int vocabSize;
    private final @Nullable Tokenizer tokenizer;
    private final Processors processors;
    private final Constraints constraints;

    /** Breakers of the last requests: to find them takes a look at each token. */
    private final Map<List<String>, DryBreakers> breakers =
            new LinkedHashMap<>(KEPT_BREAKERS, 0.75f, true) {
                private static final long serialVersionUID = 1L;

                @Override
                protected boolean removeEldestEntry(Map.Entry<List<String>, DryBreakers> eldest) {
                    return size() > KEPT_BREAKERS;
                }
            };

    /**
     * @param width logits of a row
     * @param vocabSize those of them that may be drawn
     */
    SamplingChecker(
            int width,
            int vocabSize,
            @Nullable Tokenizer tokenizer,
            Processors processors,
            Constraints constraints) {
        this.width = width;
        this.vocabSize = vocabSize;
        this.tokenizer = tokenizer;
        this.processors = processors;
        this.constraints = constraints;
    }

    RowParams check(SamplingParams params, int[] prompt, int[] endIds) {
        checkIds(params);
        BadWords badWords = badWords(params);
        Map<Integer, Float> bias = bias(params, badWords);
        requireChoice(params, bias, endIds);
        boolean isMirostat = !params.mirostat().isOff();
        boolean isPenalized = !params.penalties().areOff();
        boolean marksPrompt = params.penalties().repetition() != 1;
        return new RowParams(
                row(params),
                bias.isEmpty()
                        ? NO_IDS
                        : bias.keySet().stream().mapToInt(Integer::intValue).toArray(),
                values(bias),
                allowedMask(params.tokens()),
                marksPrompt ? Arrays.stream(prompt).distinct().toArray() : NO_IDS,
                isPenalized || isMirostat,
                isMirostat,
                badWords != null && badWords.followsOutput() ? badWords : null,
                dry(params.dry()),
                processors.find(params.logitsProcessors()),
                constraints.of(params, prompt));
    }

    private void checkIds(SamplingParams params) {
        params.stopTokenIds().forEach(id -> checkId("stop_token_ids", id));
        params.logitBias().keySet().forEach(id -> checkId("logit_bias", id));
        List<Integer> allowed = params.tokens().allowedTokenIds();
        if (allowed != null) {
            allowed.forEach(id -> checkId("allowed_token_ids", id));
        }
    }

    private void checkId(String param, int id) {
        if (id < 0 || id >= width) {
            throw EngineException.invalid(
                    param, param + " ids must be in [0, " + width + "): id=" + id);
        }
    }

    /** Padding behind the vocabulary has no log-probability. */
    void requireDrawable(String param, int[] ids, String where) {
        for (int id : ids) {
            if (id >= vocabSize) {
                throw EngineException.invalid(
                        param,
                        "%s ids must be in [0, %d) %s: id=%d"
                                .formatted(param, vocabSize, where, id));
            }
        }
    }

    private @Nullable BadWords badWords(SamplingParams params) {
        List<String> words = params.tokens().badWords();
        return words.isEmpty() ? null : BadWords.of(words, needTokenizer("bad_words"), vocabSize);
    }

    private Tokenizer needTokenizer(String param) {
        if (tokenizer == null) {
            throw EngineException.invalid(
                    param, param + " needs a tokenizer and the model has none");
        }
        return tokenizer;
    }

    /** By id, so that the same request makes the same rows. */
    private static Map<Integer, Float> bias(SamplingParams params, @Nullable BadWords badWords) {
        Map<Integer, Float> bias = new TreeMap<>();
        params.logitBias()
                .forEach((id, value) ->
                        bias.put(id, value <= BAN ? Float.NEGATIVE_INFINITY : value));
        if (badWords != null) {
            for (int id : badWords.singles()) {
                bias.put(id, Float.NEGATIVE_INFINITY);
            }
        }
        return bias;
    }

    private static float[] values(Map<Integer, Float> bias) {
        float[] values = bias.isEmpty() ? NO_VALUES : new float[bias.size()];
        int i = 0;
        for (Float value : bias.values()) {
            values[i++] = value;
        }
        return values;
    }

    /** Some token may be drawn from the start. */
    private void requireChoice(SamplingParams params, Map<Integer, Float> bias, int[] endIds) {
        List<Integer> allowed = params.tokens().allowedTokenIds();
        if (allowed == null) {
            return;
        }
        boolean endsAreBanned = params.minTokens() > 0;
        for (int id : allowed) {
            boolean isBanned = bias.getOrDefault(id, 0f) == Float.NEGATIVE_INFINITY;
            boolean isEnd = Arrays.stream(endIds).anyMatch(end -> end == id);
            if (id < vocabSize && !isBanned && !(isEnd && endsAreBanned)) {
                return;
            }
        }
        throw EngineException.invalid(
                "allowed_token_ids",
                "allowed_token_ids must hold a token that nothing else bans: ids="
                        + allowed.size()
                        + " min_tokens="
                        + params.minTokens());
    }

    private int @Nullable [] allowedMask(TokenRules tokens) {
        List<Integer> allowed = tokens.allowedTokenIds();
        if (allowed == null) {
            return null;
        }
        int[] mask = new int[Sampler.maskWords(vocabSize)];
        for (int id : allowed) {
            if (id < vocabSize) {
                mask[id / Integer.SIZE] |= 1 << id % Integer.SIZE;
            }
        }
        return mask;
    }

    private @Nullable DryRule dry(Dry dry) {
        if (dry.isOff()) {
            return null;
        }
        if (dry.sequenceBreakers().isEmpty()) {
            return new DryRule(dry, DryBreakers.NONE);
        }
        Tokenizer known = needTokenizer("dry_sequence_breakers");
        DryBreakers found;
        synchronized (breakers) {
            found = breakers.get(dry.sequenceBreakers());
        }
        if (found == null) { // twice at worst: others do not wait for the look
            found = new DryBreakers(dry.sequenceBreakers(), known);
            synchronized (breakers) {
                breakers.put(dry.sequenceBreakers(), found);
            }
        }
        return new DryRule(dry, found);
    }

    private static SampleRow row(SamplingParams params) {
        Truncation truncation = params.truncation();
        SampleRow row =
                new SampleRow()
                        .temperature(params.temperature())
                        .topK(truncation.topK())
                        .topP(truncation.topP())
                        .minP(truncation.minP())
                        .typicalP(truncation.typicalP())
                        .topNSigma(truncation.topNSigma())
                        .epsilonCutoff(truncation.epsilonCutoff())
                        .etaCutoff(truncation.etaCutoff())
                        .topH(truncation.topH())
                        .xtc(params.xtc().probability(), params.xtc().threshold())
                        .penalties(
                                params.penalties().repetition(),
                                params.penalties().frequency(),
                                params.penalties().presence())
                        .dynamicTemperature(
                                params.dynamicTemperature().range(),
                                params.dynamicTemperature().exponent());
        if (!params.mirostat().isOff()) {
            row.mirostat(params.mirostat().tau(), params.mirostat().eta());
        }
        if (!params.order().equals(SamplingStep.DEFAULT_ORDER)) {
            row.order(order(params.order()));
        }
        Integer logprobs = params.logprobs();
        if (logprobs != null || params.bestOf() > params.n()) {
            boolean isProcessed = params.scoring().mode() == Scoring.Mode.PROCESSED;
            row.logprobs(logprobs == null ? 0 : logprobs, isProcessed);
        }
        return row;
    }

    /** Mirostat draws from what all others leave. */
    private static SampleStep[] order(List<SamplingStep> steps) {
        List<SampleStep> order = new ArrayList<>();
        for (SamplingStep step : steps) {
            order.add(
                    switch (step) {
                        case PENALTIES -> SampleStep.PENALTIES;
                        case DRY -> SampleStep.DRY;
                        case TEMPERATURE -> SampleStep.TEMPERATURE;
                        case MIN_P -> SampleStep.MIN_P;
                        case TOP_K -> SampleStep.TOP_K;
                        case TOP_P -> SampleStep.TOP_P;
                        case TYPICAL_P -> SampleStep.TYPICAL_P;
                        case TOP_N_SIGMA -> SampleStep.TOP_N_SIGMA;
                        case EPSILON_CUTOFF -> SampleStep.EPSILON;
                        case ETA_CUTOFF -> SampleStep.ETA;
                        case TOP_H -> SampleStep.TOP_H;
                        case XTC -> SampleStep.XTC;
                    });
        }
        order.add(SampleStep.MIROSTAT);
        return order.toArray(SampleStep[]::new);
    }
}
