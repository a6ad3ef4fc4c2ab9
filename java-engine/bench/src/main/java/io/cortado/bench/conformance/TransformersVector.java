package io.cortado.bench.conformance;

import io.cortado.bench.conformance.SamplerBed.Drawn;
import io.cortado.bench.conformance.SamplingSuite.Refused;
import io.cortado.bench.conformance.SamplingSuite.Run;
import io.cortado.device.SampleRow;
import io.cortado.device.SampleStep;
import io.cortado.sampling.Sampler;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import tools.jackson.databind.JsonNode;

/**
 * A row of {@code transformers-vectors.jsonl}: one operation or a chain on logits, kept ids and
 * their probabilities. Additions and bans before all else are the row's bias; later ones take the
 * place of DRY's.
 */
final class TransformersVector {
    private static final double ABSOLUTE = 1e-6;
    private static final double RELATIVE = 1e-5;

    private final JsonNode params;
    private final int[] prompt;
    private final int[] output;
    private final Run run;
    private final SampleRow row = new SampleRow();
    private final List<SampleStep> steps = new ArrayList<>();
    private final List<Consumer<Sampler>> biases = new ArrayList<>();
    private final List<Consumer<Sampler>> additions = new ArrayList<>();
    private float repetition = 1;
    private float frequency;
    private float presence;

    private TransformersVector(JsonNode json, Run run) {
        this.run = run;
        params = json.path("params");
        prompt = JsonLines.ints(json.path("prompt"));
        output = JsonLines.ints(json.path("output"));
    }

    /** Empty if the kept set and each probability are as they must be. */
    static String judge(JsonNode json, Run run) {
        TransformersVector vector = new TransformersVector(json, run);
        if (json.has("chain")) {
            json.path("chain").forEach(step -> vector.add(step.asString("")));
        } else {
            vector.add(json.path("op").asString(""));
        }
        float[] logits = new float[json.path("logits").size()];
        for (int i = 0; i < logits.length; i++) {
            JsonNode value = json.path("logits").path(i);
            logits[i] = value.isNull() ? Float.NEGATIVE_INFINITY : (float) value.doubleValue();
        }
        return difference(json, vector.draw(logits));
    }

    private Drawn draw(float[] logits) {
        row.penalties(repetition, frequency, presence);
        // Without a step the default order, of which all are off.
        row.order(steps.toArray(SampleStep[]::new));
        return run.bed(logits.length)
                .draw(
                        logits,
                        row,
                        sampler -> {
                            biases.forEach(bias -> bias.accept(sampler));
                            additions.forEach(addition -> addition.accept(sampler));
                            sampler.prompt(prompt, 0, prompt.length);
                            sampler.output(output, 0, output.length);
                        });
    }

    private void add(String op) {
        switch (op) {
            case "temperature" -> {
                row.temperature(number("temperature"));
                steps.add(SampleStep.TEMPERATURE);
            }
            case "top_k" -> {
                run.uses("top_k with CT_SAMPLE_KEEP_TIES: the k-th's equals stay");
                row.topK((int) number("top_k")).keepTies(true);
                steps.add(SampleStep.TOP_K);
            }
            case "top_p" -> {
                row.topP(number("top_p"));
                steps.add(SampleStep.TOP_P);
            }
            case "min_p" -> {
                row.minP(number("min_p"));
                steps.add(SampleStep.MIN_P);
            }
            case "typical_p" -> {
                row.typicalP(number("typical_p"));
                steps.add(SampleStep.TYPICAL_P);
            }
            case "epsilon_cutoff" -> {
                row.epsilonCutoff(number("epsilon_cutoff"));
                steps.add(SampleStep.EPSILON);
            }
            case "eta_cutoff" -> {
                row.etaCutoff(number("eta_cutoff"));
                steps.add(SampleStep.ETA);
            }
            case "top_h" -> {
                row.topH(number("top_h"));
                steps.add(SampleStep.TOP_H);
            }
            case "top_n_sigma" -> {
                row.topNSigma(number("top_n_sigma"));
                steps.add(SampleStep.TOP_N_SIGMA);
            }
            default -> addEdit(op);
        }
    }

    private void addEdit(String op) {
        switch (op) {
            case "repetition_penalty" -> {
                if (frequency != 0 || presence != 0) {
                    throw new Refused("repetition_penalty after frequency_presence");
                }
                repetition = number("repetition_penalty");
                addPenalties();
            }
            case "frequency_presence" -> {
                frequency = number("frequency_penalty");
                presence = number("presence_penalty");
                addPenalties();
            }
            case "logit_bias" ->
                    params.path("logit_bias")
                            .properties()
                            .forEach(entry ->
                                    bias(
                                            Integer.parseInt(entry.getKey()),
                                            entry.getValue().floatValue()));
            case "bad_words" -> params.path("bad_words").forEach(this::banWord);
            case "min_tokens" -> {
                if (output.length < (int) number("min_tokens")) {
                    for (int id : JsonLines.ints(params.path("stop_token_ids"))) {
                        bias(id, Float.NEGATIVE_INFINITY);
                    }
                }
            }
            default -> throw new Refused("unknown operation: op=" + op);
        }
    }

    /** All three are one step. */
    private void addPenalties() {
        int at = steps.indexOf(SampleStep.PENALTIES);
        if (at >= 0 && at != steps.size() - 1) {
            throw new Refused("penalties in two places of a chain");
        }
        if (at < 0) {
            steps.add(SampleStep.PENALTIES);
        }
    }

    private void banWord(JsonNode word) {
        int[] ids = JsonLines.ints(word);
        int before = ids.length - 1;
        boolean ends =
                before >= 0
                        && before <= output.length
                        && Arrays.equals(
                                ids, 0, before, output, output.length - before, output.length);
        if (ends) {
            bias(ids[before], Float.NEGATIVE_INFINITY);
        }
    }

    private void bias(int id, float value) {
        if (steps.isEmpty()) {
            biases.add(sampler -> sampler.bias(id, value));
            return;
        }
        int at = steps.indexOf(SampleStep.DRY);
        if (at >= 0 && at != steps.size() - 1) {
            throw new Refused("additions in three places of a chain");
        }
        if (at < 0) {
            steps.add(SampleStep.DRY);
        }
        additions.add(sampler -> sampler.dry(id, value));
    }

    private float number(String name) {
        if (!params.path(name).isNumber()) {
            throw new Refused("params." + name + " must be a number");
        }
        return params.path(name).floatValue();
    }

    private static String difference(JsonNode json, Drawn drawn) {
        int[] kept = JsonLines.ints(json.path("kept"));
        double[] expected = new double[kept.length];
        Arrays.setAll(expected, i -> json.path("probs").path(i).doubleValue());
        double[] actual = drawn.probabilities().clone();
        if (json.has("cut_tie")) {
            // Which of the equals stay is the engine's choice.
            Arrays.sort(expected);
            Arrays.sort(actual);
            return compare(expected, actual);
        }
        int[] ids = drawn.ids().clone();
        Arrays.sort(ids);
        if (!Arrays.equals(kept, ids)) {
            return "kept " + ids.length + " tokens instead of " + kept.length;
        }
        Map<Integer, Double> byId = new HashMap<>();
        for (int i = 0; i < ids.length; i++) {
            byId.put(drawn.ids()[i], actual[i]);
        }
        double[] inOrder =
                Arrays.stream(kept).mapToDouble(id -> byId.getOrDefault(id, -1.0)).toArray();
        return compare(expected, inOrder);
    }

    private static String compare(double[] expected, double[] actual) {
        if (expected.length != actual.length) {
            return "kept " + actual.length + " tokens instead of " + expected.length;
        }
        for (int i = 0; i < expected.length; i++) {
            if (!(Math.abs(expected[i] - actual[i]) <= ABSOLUTE + RELATIVE * expected[i])) {
                return "probability " + i + " is " + actual[i] + " instead of " + expected[i];
            }
        }
        return "";
    }
}
