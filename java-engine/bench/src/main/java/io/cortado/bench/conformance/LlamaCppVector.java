package io.cortado.bench.conformance;

import io.cortado.api.Dry;
import io.cortado.bench.conformance.SamplerBed.Drawn;
import io.cortado.bench.conformance.SamplingSuite.Refused;
import io.cortado.bench.conformance.SamplingSuite.Run;
import io.cortado.device.SampleRow;
import io.cortado.device.SampleStep;
import io.cortado.engine.DryBed;
import io.cortado.sampling.Sampler;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.function.Consumer;
import tools.jackson.databind.JsonNode;

/**
 * A row of {@code llamacpp-sampler-vectors.jsonl}: one sampler on given probabilities and the
 * probabilities after it, or a queue of top-k, top-p and min-p on a vocabulary in which a token's
 * probability is its id.
 */
final class LlamaCppVector {
    /** Of llama.cpp's own tests. */
    private static final double TOLERANCE = 1e-5;

    /** XTC throws a coin: of so many one shows the cut, at any probability from 5% on. */
    private static final int COINS = 256;

    private LlamaCppVector() {}

    /** Empty if what is kept is as it must be. */
    static String judge(JsonNode json, Run run) {
        String op = json.path("op").asString("");
        if (op.equals("queue")) {
            return queue(json, run);
        }
        double[] given = doubles(json.path("probs"));
        float[] logits = new float[given.length];
        for (int i = 0; i < logits.length; i++) {
            logits[i] = (float) Math.log(given[i]);
        }
        JsonNode params = json.path("params");
        SampleRow row = new SampleRow().order(step(op));
        Consumer<Sampler> edits = edits(op, params, logits.length);
        fill(op, params, row);
        SamplerBed bed = run.bed(logits.length);
        Drawn drawn = bed.draw(logits, row, edits);
        if (op.equals("xtc")) {
            for (int i = 1; i < COINS && drawn.ids().length == given.length; i++) {
                drawn = bed.draw(logits, row.random(0, i, 0), edits);
            }
        }
        return difference(normalised(doubles(json.path("expected"))), drawn.probabilities());
    }

    private static SampleStep step(String op) {
        return switch (op) {
            case "temperature", "dyn_temperature" -> SampleStep.TEMPERATURE;
            case "top_k" -> SampleStep.TOP_K;
            case "top_p" -> SampleStep.TOP_P;
            case "min_p" -> SampleStep.MIN_P;
            case "xtc" -> SampleStep.XTC;
            case "typical" -> SampleStep.TYPICAL_P;
            case "penalties" -> SampleStep.PENALTIES;
            case "dry" -> SampleStep.DRY;
            case "top_n_sigma" -> SampleStep.TOP_N_SIGMA;
            default -> throw new Refused("unknown operation: op=" + op);
        };
    }

    private static void fill(String op, JsonNode params, SampleRow row) {
        float p = number(params, "p");
        switch (op) {
            case "temperature" -> row.temperature(number(params, "temp"));
            case "dyn_temperature" ->
                    row.temperature(number(params, "temp"))
                            .dynamicTemperature(
                                    number(params, "delta"), number(params, "exponent"));
            case "top_k" -> row.topK((int) number(params, "k"));
            case "top_p" -> row.topP(p);
            case "min_p" -> row.minP(p);
            case "xtc" -> row.xtc(p, number(params, "t"));
            case "typical" -> row.typicalP(p);
            case "top_n_sigma" -> row.topNSigma(number(params, "n"));
            case "penalties" ->
                    row.penalties(
                            number(params, "repeat"),
                            number(params, "frequency"),
                            number(params, "presence"));
            default -> {} // dry's are additions
        }
    }

    /** llama.cpp's penalties count what its window holds, of prompt and output alike. */
    private static Consumer<Sampler> edits(String op, JsonNode params, int vocabSize) {
        int[] last = JsonLines.ints(params.path("last_tokens"));
        if (op.equals("penalties")) {
            int window = (int) number(params, "penalty_last_n");
            int from = window > 0 ? Math.max(0, last.length - window) : 0;
            return sampler -> sampler.output(last, from, last.length - from);
        }
        if (!op.equals("dry")) {
            return sampler -> {};
        }
        List<int[]> breakers = new ArrayList<>();
        params.path("breakers").forEach(ids -> breakers.add(JsonLines.ints(ids)));
        Dry dry =
                Dry.OFF
                        .multiplier(number(params, "multiplier"))
                        .base(number(params, "base"))
                        .allowedLength((int) number(params, "allowed_length"))
                        .lastN((int) number(params, "penalty_last_n"));
        return sampler -> DryBed.add(dry, breakers, last, vocabSize, sampler);
    }

    /** 0 where the case does not name it. */
    private static float number(JsonNode params, String name) {
        return (float) params.path(name).asDouble(0);
    }

    private static double[] doubles(JsonNode array) {
        double[] values = new double[array.size()];
        Arrays.setAll(values, i -> array.path(i).doubleValue());
        return values;
    }

    /** XTC and typical leave the probabilities of what they keep as they were. */
    private static double[] normalised(double[] values) {
        double sum = Arrays.stream(values).sum();
        return Arrays.stream(values).map(value -> value / sum).toArray();
    }

    /** Sorted: some of llama.cpp's samplers sort. Tokens that it leaves without mass are zeros. */
    private static String difference(double[] expected, double[] actual) {
        double[] left = ascending(expected, Math.max(expected.length, actual.length));
        double[] right = ascending(actual, left.length);
        for (int i = 0; i < left.length; i++) {
            if (!(Math.abs(left[i] - right[i]) <= TOLERANCE)) {
                return "probabilities "
                        + Arrays.toString(actual)
                        + " instead of "
                        + Arrays.toString(expected);
            }
        }
        return "";
    }

    private static double[] ascending(double[] values, int length) {
        double[] sorted = new double[length];
        System.arraycopy(values, 0, sorted, length - values.length, values.length);
        Arrays.sort(sorted);
        return sorted;
    }

    private static String queue(JsonNode json, Run run) {
        int n = json.path("n_vocab").intValue();
        String logit = json.path("logit").asString("");
        if (!logit.equals("ln(token_id)")) {
            throw new Refused("unknown logits: logit=" + logit);
        }
        SamplerBed bed = run.bed(n);
        float[] logits = new float[n];
        for (int i = 0; i < n; i++) {
            logits[i] = (float) Math.log(i);
        }
        String sequence = json.path("sequence").asString("");
        SampleRow row =
                new SampleRow()
                        .topK(json.path("top_k").intValue())
                        .topP(json.path("top_p").floatValue())
                        .minP(json.path("min_p").floatValue())
                        .order(
                                sequence.chars()
                                        .mapToObj(LlamaCppVector::queued)
                                        .toArray(SampleStep[]::new));
        int first = firstKept(json, sequence, n);
        int[] ids = bed.draw(logits, row, sampler -> {}).ids();
        if (ids.length != n - first || ids[ids.length - 1] != first || ids[0] != n - 1) {
            return String.format(
                    Locale.ROOT,
                    "kept %d tokens from %d on instead of %d from %d on",
                    ids.length,
                    ids[ids.length - 1],
                    n - first,
                    first);
        }
        return "";
    }

    private static SampleStep queued(int letter) {
        return switch (letter) {
            case 'k' -> SampleStep.TOP_K;
            case 'p' -> SampleStep.TOP_P;
            case 'm' -> SampleStep.MIN_P;
            default -> throw new Refused("unknown sampler in a queue: " + (char) letter);
        };
    }

    /**
     * The lowest id that stays, in whole numbers: a token weighs its id. The one that weighs
     * nothing is never kept.
     */
    private static int firstKept(JsonNode json, String sequence, int n) {
        int first = 1;
        for (char letter : sequence.toCharArray()) {
            if (letter == 'k') {
                int k = json.path("top_k").intValue();
                first = k > 0 ? Math.max(first, n - k) : first;
            } else if (letter == 'm') {
                double least = Math.min(1, json.path("min_p").doubleValue()) * (n - 1);
                first = Math.max(first, (int) Math.ceil(least));
            } else if (json.path("top_p").doubleValue() < 1) {
                first = reaching(json.path("top_p").doubleValue(), first, n);
            }
        }
        return first;
    }

    private static int reaching(double share, int first, int n) {
        long whole = ((long) n * (n - 1) - (long) first * (first - 1)) / 2;
        long sum = 0;
        int id = n;
        do {
            id--;
            sum += id;
        } while (id > first && sum < share * whole);
        return id;
    }
}
