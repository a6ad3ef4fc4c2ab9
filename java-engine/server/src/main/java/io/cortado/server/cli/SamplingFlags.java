package io.cortado.server.cli;

import io.cortado.api.SamplingParams;
import io.cortado.api.SamplingStep;
import io.cortado.api.TokenRules;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Flags that say how tokens are chosen; what is absent is the model's own default. */
final class SamplingFlags {
    @Option(names = "--temperature", paramLabel = "X", description = "0: greedy")
    @Nullable Float temperature;

    @Option(names = "--seed", paramLabel = "N", description = "makes the answer reproducible")
    @Nullable Long seed;

    @Option(names = "--max-tokens", paramLabel = "N", description = "output tokens at most")
    @Nullable Integer maxTokens;

    @Option(names = "--min-tokens", paramLabel = "N")
    int minTokens = 0;

    @Option(names = "--stop", paramLabel = "TEXT", description = "ends the output; may be repeated")
    List<String> stop = List.of();

    @Option(names = "--stop-token-ids", paramLabel = "ID", split = ",")
    List<Integer> stopTokenIds = List.of();

    @Option(names = "--include-stop", description = "the stop text is part of the output")
    boolean includeStop;

    @Option(names = "--ignore-eos", description = "the model's end token does not end the output")
    boolean ignoreEos;

    @Option(names = "--special-tokens", description = "control tokens give text")
    boolean specialTokens;

    @Option(names = "--best-of", paramLabel = "N", description = "the likeliest of so many answers")
    @Nullable Integer bestOf;

    @Option(
            names = "--logit-bias",
            paramLabel = "ID=X",
            split = ",",
            description = "added to a token's logit; -100 bans it")
    Map<Integer, Float> logitBias = Map.of();

    @Option(names = "--allowed-token-ids", paramLabel = "ID", split = ",")
    @Nullable List<Integer> allowedTokenIds;

    @Option(
            names = "--bad-word",
            paramLabel = "TEXT",
            description = "never written; may be repeated")
    List<String> badWords = List.of();

    @Option(
            names = "--logits-processor",
            paramLabel = "NAME",
            description = "of a processor on the class path; may be repeated")
    List<String> logitsProcessors = List.of();

    @Option(
            names = "--samplers",
            paramLabel = "ORDER",
            description =
                    "the steps in their order, as llama.cpp has it: names with ; between,"
                            + " or letters")
    @Nullable String samplers;

    @Mixin SamplerFlags samplerFlags = new SamplerFlags();
    @Mixin ConstraintFlags constraintFlags = new ConstraintFlags();

    SamplingParams.Builder params(SamplingParams defaults, int absentMaxTokens) {
        List<SamplingStep> order = samplers == null ? null : SamplingStep.parse(samplers);
        SamplingParams.Builder params = samplerFlags.params(defaults, order);
        params.n(1).bestOf(bestOf).seed(seed).logitsProcessors(logitsProcessors);
        params.stop(stop).stopTokenIds(stopTokenIds).includeStop(includeStop);
        params.ignoreEos(ignoreEos).minTokens(minTokens).skipSpecialTokens(!specialTokens);
        params.maxTokens(maxTokens == null ? absentMaxTokens : maxTokens);
        params.tokens(new TokenRules(logitBias, allowedTokenIds, badWords));
        params.constraint(constraintFlags.constraint());
        return temperature == null ? params : params.temperature(temperature);
    }
}
