package io.cortado.server.cli;

import io.cortado.api.Dry;
import io.cortado.api.DynamicTemperature;
import io.cortado.api.Mirostat;
import io.cortado.api.Penalties;
import io.cortado.api.SamplingParams;
import io.cortado.api.SamplingStep;
import io.cortado.api.Truncation;
import io.cortado.api.Xtc;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** Flags that shape the distribution. */
final class SamplerFlags {
    @Option(names = "--top-p", paramLabel = "X")
    @Nullable Float topP;

    @Option(names = "--top-k", paramLabel = "N")
    @Nullable Integer topK;

    @Option(names = "--min-p", paramLabel = "X")
    @Nullable Float minP;

    @Option(names = "--typical-p", paramLabel = "X")
    @Nullable Float typicalP;

    @Option(names = "--top-n-sigma", paramLabel = "X")
    @Nullable Float topNSigma;

    @Option(names = "--epsilon-cutoff", paramLabel = "X")
    @Nullable Float epsilonCutoff;

    @Option(names = "--eta-cutoff", paramLabel = "X")
    @Nullable Float etaCutoff;

    @Option(names = "--top-h", paramLabel = "X")
    @Nullable Float topH;

    @Option(names = "--xtc-probability", paramLabel = "X")
    @Nullable Float xtcProbability;

    @Option(names = "--xtc-threshold", paramLabel = "X")
    @Nullable Float xtcThreshold;

    @Option(names = "--repetition-penalty", paramLabel = "X")
    @Nullable Float repetitionPenalty;

    @Option(names = "--frequency-penalty", paramLabel = "X")
    @Nullable Float frequencyPenalty;

    @Option(names = "--presence-penalty", paramLabel = "X")
    @Nullable Float presencePenalty;

    @Option(names = "--dry-multiplier", paramLabel = "X")
    @Nullable Float dryMultiplier;

    @Option(names = "--dry-base", paramLabel = "X")
    @Nullable Float dryBase;

    @Option(names = "--dry-allowed-length", paramLabel = "N")
    @Nullable Integer dryAllowedLength;

    @Option(names = "--dry-penalty-last-n", paramLabel = "N")
    @Nullable Integer dryPenaltyLastN;

    @Option(names = "--mirostat", paramLabel = "N", description = "0 or 2")
    @Nullable Integer mirostat;

    @Option(names = "--mirostat-tau", paramLabel = "X")
    @Nullable Float mirostatTau;

    @Option(names = "--mirostat-eta", paramLabel = "X")
    @Nullable Float mirostatEta;

    @Option(names = "--dynatemp-range", paramLabel = "X")
    @Nullable Float dynatempRange;

    @Option(names = "--dynatemp-exponent", paramLabel = "X")
    @Nullable Float dynatempExponent;

    @Option(
            names = "--dry-sequence-breaker",
            paramLabel = "TEXT",
            description = "no repetition spans it; may be repeated")
    @Nullable List<String> drySequenceBreakers;

    /** What the model's defaults cannot have beside these flags gives way. */
    SamplingParams.Builder params(SamplingParams model, @Nullable List<SamplingStep> order) {
        Mirostat off = Mirostat.OFF;
        Mirostat asked =
                new Mirostat(
                        or(mirostat, off.mode()),
                        or(mirostatTau, off.tau()),
                        or(mirostatEta, off.eta()));
        SamplingParams left = order == null ? model : model.only(order);
        SamplingParams defaults = asked.isOff() ? left : left.only(SamplingStep.BESIDE_MIROSTAT);
        SamplingParams.Builder params =
                defaults.toBuilder()
                        .mirostat(asked)
                        .truncation(truncation(defaults.truncation()))
                        .xtc(
                                new Xtc(
                                        or(xtcProbability, Xtc.OFF.probability()),
                                        or(xtcThreshold, Xtc.OFF.threshold())))
                        .penalties(penalties(defaults.penalties()))
                        .dry(dry())
                        .dynamicTemperature(
                                new DynamicTemperature(
                                        or(dynatempRange, DynamicTemperature.OFF.range()),
                                        or(dynatempExponent, DynamicTemperature.OFF.exponent())));
        return order == null ? params : params.order(order);
    }

    private Truncation truncation(Truncation from) {
        return new Truncation(
                or(topK, from.topK()),
                or(topP, from.topP()),
                or(minP, from.minP()),
                or(typicalP, from.typicalP()),
                or(topNSigma, from.topNSigma()),
                or(epsilonCutoff, from.epsilonCutoff()),
                or(etaCutoff, from.etaCutoff()),
                or(topH, from.topH()));
    }

    private Penalties penalties(Penalties from) {
        return new Penalties(
                or(repetitionPenalty, from.repetition()),
                or(frequencyPenalty, from.frequency()),
                or(presencePenalty, from.presence()));
    }

    private Dry dry() {
        Dry off = Dry.OFF;
        return new Dry(
                or(dryMultiplier, off.multiplier()),
                or(dryBase, off.base()),
                or(dryAllowedLength, off.allowedLength()),
                or(dryPenaltyLastN, off.lastN()),
                drySequenceBreakers == null ? off.sequenceBreakers() : drySequenceBreakers);
    }

    private static float or(@Nullable Float value, float absent) {
        return value == null ? absent : value;
    }

    private static int or(@Nullable Integer value, int absent) {
        return value == null ? absent : value;
    }
}
