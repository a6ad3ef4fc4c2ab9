package io.cortado.api;

import java.util.EnumSet;
import java.util.List;
import java.util.Set;

/** Which steps a request turns on, and whether they go together. */
final class StepOrder {
    private final Set<SamplingStep> on = EnumSet.noneOf(SamplingStep.class);

    StepOrder on(SamplingStep step, boolean isOn) {
        if (isOn) {
            on.add(step);
        }
        return this;
    }

    StepOrder truncation(Truncation truncation) {
        return on(SamplingStep.MIN_P, truncation.minP() > 0)
                .on(SamplingStep.TOP_K, truncation.topK() > 0)
                .on(SamplingStep.TOP_P, truncation.topP() < 1)
                .on(SamplingStep.TYPICAL_P, truncation.typicalP() < 1)
                .on(SamplingStep.TOP_N_SIGMA, truncation.topNSigma() > 0)
                .on(SamplingStep.EPSILON_CUTOFF, truncation.epsilonCutoff() > 0)
                .on(SamplingStep.ETA_CUTOFF, truncation.etaCutoff() > 0)
                .on(SamplingStep.TOP_H, truncation.topH() > 0);
    }

    /** Mirostat takes the place of what was turned on so far. */
    StepOrder mirostat(Mirostat mirostat) {
        if (!mirostat.isOff() && !on.isEmpty()) {
            throw EngineException.invalid(
                    "mirostat",
                    "mirostat must be 0 (off) beside %s: mirostat=%d"
                            .formatted(on.iterator().next().apiName(), mirostat.mode()));
        }
        return this;
    }

    /** No step comes twice, and none that is on is left out. */
    void requireIn(List<SamplingStep> order) {
        Set<SamplingStep> named = EnumSet.noneOf(SamplingStep.class);
        for (SamplingStep step : order) {
            Ranges.require(named.add(step), "sampler_order", "without repetition", step.apiName());
        }
        for (SamplingStep step : on) {
            Ranges.require(
                    named.contains(step),
                    "sampler_order",
                    "a list of all steps that are on, with " + step.apiName(),
                    order.stream().map(SamplingStep::apiName).toList());
        }
    }
}
