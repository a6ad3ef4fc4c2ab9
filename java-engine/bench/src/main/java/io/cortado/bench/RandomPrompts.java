package io.cortado.bench;

import io.cortado.api.GenerationRequest;
import io.cortado.api.ModelInfo;
import io.cortado.api.Prompt;
import io.cortado.api.SamplingParams;
import java.util.SplittableRandom;

/** Prompts of random ids, each different, so that no cache of prefixes flatters. */
public final class RandomPrompts {
    private final SplittableRandom random;
    private final int vocabSize;

    public RandomPrompts(int vocabSize, long seed) {
        this.vocabSize = vocabSize;
        random = new SplittableRandom(seed);
    }

    public int[] next(int length) {
        int[] ids = new int[length];
        for (int i = 0; i < length; i++) {
            ids[i] = random.nextInt(vocabSize);
        }
        return ids;
    }

    /** Greedy, exactly {@code outputLen} tokens. */
    public static GenerationRequest request(int[] ids, int outputLen) {
        SamplingParams params =
                SamplingParams.builder()
                        .temperature(0)
                        .maxTokens(outputLen)
                        .ignoreEos(true)
                        .build();
        return new GenerationRequest(new Prompt.Tokens(ids), params);
    }

    static void requireFits(ModelInfo model, int promptLen, int outputLen) {
        BenchCommand.require(promptLen >= 1, "prompt-len", "positive", promptLen);
        BenchCommand.require(outputLen >= 1, "output-len", "positive", outputLen);
        if ((long) promptLen + outputLen > model.maxModelLen()) {
            throw new BenchException(
                    "prompt and output must fit into the model's context: prompt-len="
                            + promptLen
                            + " output-len="
                            + outputLen
                            + " max-model-len="
                            + model.maxModelLen());
        }
    }
}
