package io.cortado.api;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

class SamplingParamsTest {
    private static Arguments wrong(String field, String range, String value, Supplier<?> made) {
        return Arguments.of(field, range, value, made);
    }

    private static SamplingParams.Builder params() {
        return SamplingParams.builder();
    }

    private static Map<Integer, Float> bias(int entries) {
        Map<Integer, Float> bias = new HashMap<>();
        for (int id = 0; id < entries; id++) {
            bias.put(id, 1f);
        }
        return bias;
    }

    static Stream<Arguments> wrong() {
        Truncation none = Truncation.NONE;
        return Stream.of(
                wrong("n", "[1, 128]", "0", () -> params().n(0).build()),
                wrong("n", "[1, 128]", "129", () -> params().n(129).build()),
                wrong("best_of", "[n=3, 128]", "2", () -> params().n(3).bestOf(2).build()),
                wrong("best_of", "[n=1, 128]", "129", () -> params().bestOf(129).build()),
                wrong("temperature", "[0, 2]", "-0.1", () -> params().temperature(-.1f).build()),
                wrong(
                        "temperature",
                        "[0, 2]",
                        "NaN",
                        () -> params().temperature(Float.NaN).build()),
                wrong("top_k", "-1, 0 or positive", "-2", () -> none.topK(-2)),
                wrong("top_p", "(0, 1]", "0.0", () -> none.topP(0)),
                wrong("top_p", "(0, 1]", "NaN", () -> none.topP(Float.NaN)),
                wrong("min_p", "[0, 1]", "1.5", () -> none.minP(1.5f)),
                wrong("typical_p", "(0, 1]", "0.0", () -> none.typicalP(0)),
                wrong("top_n_sigma", "-1, 0 or positive", "-2.0", () -> none.topNSigma(-2)),
                wrong(
                        "top_n_sigma",
                        "finite",
                        "Infinity",
                        () -> none.topNSigma(Float.POSITIVE_INFINITY)),
                wrong("epsilon_cutoff", "[0, 1)", "1.0", () -> none.epsilonCutoff(1)),
                wrong("eta_cutoff", "[0, 1)", "-1.0", () -> none.etaCutoff(-1)),
                wrong("top_h", "[0, 1]", "2.0", () -> none.topH(2)),
                wrong("xtc_probability", "[0, 1]", "1.1", () -> new Xtc(1.1f, 0)),
                wrong("xtc_threshold", "[0, 1]", "-0.5", () -> new Xtc(1, -.5f)),
                wrong("mirostat", "0 (off) or 2", "1", () -> new Mirostat(1, 5, .1f)),
                wrong("mirostat_tau", "(0, 100]", "0.0", () -> new Mirostat(2, 0, .1f)),
                wrong("mirostat_eta", "(0, 1]", "2.0", () -> new Mirostat(2, 5, 2)),
                wrong("dynatemp_range", "[0, 2]", "3.0", () -> new DynamicTemperature(3, 1)),
                wrong("dynatemp_exponent", "(0, 10]", "0.0", () -> new DynamicTemperature(1, 0)),
                wrong("repetition_penalty", "(0, 100]", "0.0", () -> new Penalties(0, 0, 0)),
                wrong("frequency_penalty", "[-2, 2]", "2.5", () -> new Penalties(1, 2.5f, 0)),
                wrong("presence_penalty", "[-2, 2]", "-3.0", () -> new Penalties(1, 0, -3)),
                wrong("dry_multiplier", "[0, 100]", "-1.0", () -> Dry.OFF.multiplier(-1)),
                wrong("dry_base", "[1, 100]", "0.5", () -> Dry.OFF.base(.5f)),
                wrong("dry_allowed_length", "[1, 1024]", "0", () -> Dry.OFF.allowedLength(0)),
                wrong("dry_penalty_last_n", "-1 or at least 0", "-2", () -> Dry.OFF.lastN(-2)),
                wrong(
                        "dry_sequence_breakers",
                        "at most 32 strings",
                        "33",
                        () -> Dry.OFF.sequenceBreakers(Collections.nCopies(33, "x"))),
                wrong(
                        "dry_sequence_breakers",
                        "1 to 64 characters",
                        "0",
                        () -> Dry.OFF.sequenceBreakers(List.of(""))),
                wrong(
                        "logit_bias",
                        "at most 1024 entries",
                        "1025",
                        () -> params().logitBias(bias(1025)).build()),
                wrong(
                        "logit_bias",
                        "[-100, 100]",
                        "101.0",
                        () -> params().logitBias(Map.of(1, 101f)).build()),
                wrong(
                        "allowed_token_ids",
                        "at least 1 id",
                        "[]",
                        () -> TokenRules.NONE.allowedTokenIds(List.of())),
                wrong(
                        "bad_words",
                        "at most 128 strings",
                        "129",
                        () -> TokenRules.NONE.badWords(Collections.nCopies(129, "x"))),
                wrong(
                        "bad_words",
                        "not all white space",
                        "\" \"",
                        () -> TokenRules.NONE.badWords(List.of(" "))),
                wrong(
                        "logits_processors",
                        "at most 8 names",
                        "9",
                        () -> params().logitsProcessors(Collections.nCopies(9, "x")).build()),
                wrong("max_tokens", "at least 1", "-1", () -> params().maxTokens(-1).build()),
                wrong(
                        "min_tokens",
                        "[0, max_tokens=4]",
                        "5",
                        () -> params().maxTokens(4).minTokens(5).build()),
                wrong(
                        "stop",
                        "at most 16 strings",
                        "17",
                        () -> params().stop(Collections.nCopies(17, "x")).build()),
                wrong("stop", "not empty", "\"\"", () -> params().stop(List.of("")).build()),
                wrong(
                        "stop_token_ids",
                        "at most 16 ids",
                        "17",
                        () -> params().stopTokenIds(Collections.nCopies(17, 1)).build()),
                wrong("logprobs", "[0, 20]", "21", () -> params().logprobs(21).build()),
                wrong(
                        "prompt_logprobs",
                        "[0, 20]",
                        "-1",
                        () -> params().promptLogprobs(-1).build()),
                wrong(
                        "mirostat",
                        "0 (off) beside top_k",
                        "2",
                        () -> params().topK(4).mirostat(Mirostat.OFF.mode(2)).build()),
                wrong(
                        "mirostat",
                        "0 (off) beside xtc",
                        "2",
                        () ->
                                params().xtc(new Xtc(1, 0.1f))
                                        .mirostat(Mirostat.OFF.mode(2))
                                        .build()),
                wrong(
                        "dynatemp_range",
                        "0 where temperature=0.0 is greedy",
                        "0.5",
                        () ->
                                params().temperature(0)
                                        .dynamicTemperature(new DynamicTemperature(.5f, 1))
                                        .build()),
                wrong(
                        "sampler_order",
                        "without repetition",
                        "top_k",
                        () -> params().order(SamplingStep.parse("kk")).build()),
                wrong(
                        "sampler_order",
                        "with top_p",
                        "[top_k]",
                        () -> params().topP(.5f).order(SamplingStep.parse("top_k")).build()),
                wrong(
                        "sampler_order",
                        "with temperature",
                        "[min_p]",
                        () -> params().temperature(.5f).order(SamplingStep.parse("m")).build()),
                wrong("sampler_order", "top_k (k)", "infill", () -> SamplingStep.of("infill")));
    }

    @ParameterizedTest
    @MethodSource("wrong")
    void namesTheFieldTheRangeAndTheValue(
            String field, String range, String value, Supplier<?> made) {
        EngineException e = assertThrows(EngineException.class, made::get);
        assertEquals(field, e.param());
        assertEquals(EngineException.Code.INVALID_REQUEST, e.code());
        String message = String.valueOf(e.getMessage());
        assertTrue(message.startsWith(field), message);
        assertTrue(message.contains(range), message);
        assertTrue(message.contains("=" + value), message);
    }

    @Test
    void readsLlamaCppsNamesAndLetters() {
        List<SamplingStep> all =
                List.of(
                        SamplingStep.PENALTIES,
                        SamplingStep.DRY,
                        SamplingStep.TOP_N_SIGMA,
                        SamplingStep.TOP_K,
                        SamplingStep.TYPICAL_P,
                        SamplingStep.TOP_P,
                        SamplingStep.MIN_P,
                        SamplingStep.XTC,
                        SamplingStep.TEMPERATURE);
        String names = "penalties;dry;top_n_sigma;top_k;typ_p;top_p;min_p;xtc;temperature";
        assertEquals(all, SamplingStep.parse(names));
        assertEquals(all, SamplingStep.parse("edskypmxt"));
        assertEquals(List.of(SamplingStep.TOP_K), SamplingStep.parse("top-k"));
    }

    @Test
    void isGreedyBelowATemperature() {
        assertTrue(params().temperature(0.99e-5f).build().isGreedy());
        assertFalse(params().temperature(1e-5f).build().isGreedy());
    }

    @Test
    void aCopyIsEqual() {
        SamplingParams some = params().n(2).topP(.5f).maxTokens(3).stop(List.of("x")).build();
        assertEquals(some, some.toBuilder().build());
        assertEquals(3, some.toBuilder().n(3).build().bestOf(), "best_of follows n");
        assertEquals(4, params().bestOf(4).build().toBuilder().build().bestOf());
    }
}
