package io.cortado.server.cli;

import io.cortado.api.SamplingParams;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** Flags that say how tokens are chosen; what is absent is the model's own default. */
final class SamplingFlags {
    @Option(names = "--temperature", paramLabel = "X", description = "0: greedy")
    @Nullable Float temperature;

    @Option(names = "--top-p", paramLabel = "X")
    @Nullable Float topP;

    @Option(names = "--top-k", paramLabel = "N")
    @Nullable Integer topK;

    @Option(names = "--min-p", paramLabel = "X")
    @Nullable Float minP;

    @Option(names = "--seed", paramLabel = "N", description = "makes the answer reproducible")
    @Nullable Long seed;

    @Option(names = "--max-tokens", paramLabel = "N", description = "output tokens at most")
    @Nullable Integer maxTokens;

    @Option(names = "--min-tokens", paramLabel = "N")
    int minTokens = 0;

    @Option(names = "--stop", paramLabel = "TEXT", description = "ends the output; may be repeated")
    List<String> stop = List.of();

    @Option(names = "--ignore-eos", description = "the model's end token does not end the output")
    boolean ignoreEos;

    SamplingParams.Builder params(SamplingParams defaults, int absentMaxTokens) {
        SamplingParams.Builder params = defaults.toBuilder();
        params.n(1).seed(seed).stop(stop).ignoreEos(ignoreEos).minTokens(minTokens);
        params.maxTokens(maxTokens == null ? absentMaxTokens : maxTokens);
        if (temperature != null) {
            params.temperature(temperature);
        }
        if (topP != null) {
            params.topP(topP);
        }
        if (topK != null) {
            params.topK(topK);
        }
        if (minP != null) {
            params.minP(minP);
        }
        return params;
    }
}
