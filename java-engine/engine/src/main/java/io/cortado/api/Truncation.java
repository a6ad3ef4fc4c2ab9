package io.cortado.api;

import java.util.Collection;

/**
 * Which tokens may be drawn at all. Each step sees the distribution renormalised over what the
 * steps before it have left, and always leaves at least one token.
 *
 * @param topK the k likeliest, the lower id of equals; 0 or -1: off
 * @param topP in (0, 1]: the likeliest that together reach it, the one that crosses it included; 1:
 *     off
 * @param minP in [0, 1]: at least so many times as likely as the likeliest; 0: off
 * @param typicalP in (0, 1]: those whose information is nearest to the entropy, until they together
 *     reach it (Meister et al. 2022); 1: off
 * @param topNSigma logits no more than so many standard deviations below the largest; 0 or -1: off
 * @param epsilonCutoff in [0, 1): at least so likely (Hewitt et al. 2022); 0: off
 * @param etaCutoff in [0, 1): at least min(eta, sqrt(eta) exp(-entropy)) likely; 0: off
 * @param topH in [0, 1]: of the 100 likeliest those that together hold at most this part of their
 *     entropy; 0: off
 */
public record Truncation(
        int topK,
        float topP,
        float minP,
        float typicalP,
        float topNSigma,
        float epsilonCutoff,
        float etaCutoff,
        float topH) {

    /** Every token may be drawn. */
    public static final Truncation NONE = new Truncation(0, 1, 0, 1, 0, 0, 0, 0);

    public Truncation {
        Ranges.require(topK >= -1, "top_k", "-1, 0 or positive", topK);
        Ranges.require(topP > 0 && topP <= 1, "top_p", "in (0, 1]", topP);
        Ranges.within("min_p", 0, 1, minP);
        Ranges.require(typicalP > 0 && typicalP <= 1, "typical_p", "in (0, 1]", typicalP);
        Ranges.require(
                topNSigma == -1 || (topNSigma >= 0 && topNSigma <= Float.MAX_VALUE),
                "top_n_sigma",
                "-1, 0 or positive and finite",
                topNSigma);
        Ranges.require(
                epsilonCutoff >= 0 && epsilonCutoff < 1,
                "epsilon_cutoff",
                "in [0, 1)",
                epsilonCutoff);
        Ranges.require(etaCutoff >= 0 && etaCutoff < 1, "eta_cutoff", "in [0, 1)", etaCutoff);
        Ranges.within("top_h", 0, 1, topH);
    }

    Truncation only(Collection<SamplingStep> steps) {
        return new Truncation(
                steps.contains(SamplingStep.TOP_K) ? topK : NONE.topK,
                steps.contains(SamplingStep.TOP_P) ? topP : NONE.topP,
                steps.contains(SamplingStep.MIN_P) ? minP : NONE.minP,
                steps.contains(SamplingStep.TYPICAL_P) ? typicalP : NONE.typicalP,
                steps.contains(SamplingStep.TOP_N_SIGMA) ? topNSigma : NONE.topNSigma,
                steps.contains(SamplingStep.EPSILON_CUTOFF) ? epsilonCutoff : NONE.epsilonCutoff,
                steps.contains(SamplingStep.ETA_CUTOFF) ? etaCutoff : NONE.etaCutoff,
                steps.contains(SamplingStep.TOP_H) ? topH : NONE.topH);
    }

    public Truncation topK(int value) {
        return new Truncation(
                value, topP, minP, typicalP, topNSigma, epsilonCutoff, etaCutoff, topH);
    }

    public Truncation topP(float value) {
        return new Truncation(
                topK, value, minP, typicalP, topNSigma, epsilonCutoff, etaCutoff, topH);
    }

    public Truncation minP(float value) {
        return new Truncation(
                topK, topP, value, typicalP, topNSigma, epsilonCutoff, etaCutoff, topH);
    }

    public Truncation typicalP(float value) {
        return new Truncation(topK, topP, minP, value, topNSigma, epsilonCutoff, etaCutoff, topH);
    }

    public Truncation topNSigma(float value) {
        return new Truncation(topK, topP, minP, typicalP, value, epsilonCutoff, etaCutoff, topH);
    }

    public Truncation epsilonCutoff(float value) {
        return new Truncation(topK, topP, minP, typicalP, topNSigma, value, etaCutoff, topH);
    }

    public Truncation etaCutoff(float value) {
        return new Truncation(topK, topP, minP, typicalP, topNSigma, epsilonCutoff, value, topH);
    }

    public Truncation topH(float value) {
        return new Truncation(
                topK, topP, minP, typicalP, topNSigma, epsilonCutoff, etaCutoff, value);
    }
}
