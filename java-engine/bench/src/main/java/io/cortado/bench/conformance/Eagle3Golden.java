package io.cortado.bench.conformance;

import io.cortado.bench.conformance.Eagle3Run.Step;
import io.cortado.model.DraftHead.Features;
import io.cortado.model.ModelException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/**
 * A {@code golden.json} beside an EAGLE-3 head: the target's states, the draft logits and tokens of
 * an unrolled chain, and whole greedy runs with their drafts. The target lies beside the head's
 * folder, which is named after it: {@code demo} and {@code demo-eagle3}.
 */
final class Eagle3Golden {
    private static final String SUFFIX = "-eagle3";

    /** Of a logit, between two orders of float32 sums. */
    private static final double TOLERANCE = 1e-3;

    /** Of a sum over all states, as part of the sum of their absolutes. */
    private static final double SUM_TOLERANCE = 1e-5;

    /** Of the logits that a golden step names, root mean square, with bf16 activations. */
    private static final double BF16_RMS = 0.1;

    /** A draft that leads by less may be another one with bf16 activations. */
    private static final double BF16_SURE = 1;

    private final HeadDriver driver;
    private final boolean isExact;
    private double largest;
    private double squares;
    private long compared;
    private int tokens;
    private int targetSteps;

    private Eagle3Golden(HeadDriver driver, boolean isExact) {
        this.driver = driver;
        this.isExact = isExact;
    }

    /** Judges drafts and run of each prompt; says what was seen. */
    static String run(Path folder, SuiteOptions options, Tally tally) throws IOException {
        JsonNode prompts = JsonLines.readTree(folder.resolve("golden.json")).path("prompts");
        int count = Math.min(options.limit(), prompts.size());
        Path target = target(folder);
        if (target == null) {
            tally.refused("an EAGLE-3 head is judged beside its target: NAME" + SUFFIX + ", NAME");
            return "";
        }
        GoldenModel model;
        try {
            model = GoldenModel.read(target, options);
        } catch (ModelException e) {
            GoldenSuite.count(e, 2 * count, tally);
            return "";
        }
        if (model.hasOwnKvType()) {
            tally.refused("golden.json: judged with kv-cache-dtype auto only", 2 * count);
            return "";
        }
        try (HeadDriver driver = HeadDriver.eagle3(target, folder, options.engine())) {
            Eagle3Golden golden = new Eagle3Golden(driver, model.isExact());
            for (int i = 0; i < count; i++) {
                golden.judge("prompt " + i, prompts.path(i), tally);
            }
            return golden.seen();
        } catch (ModelException e) {
            GoldenSuite.count(e, 2 * count, tally);
            return "";
        }
    }

    private static @Nullable Path target(Path folder) {
        String name = folder.getFileName().toString();
        if (!name.endsWith(SUFFIX)) {
            return null;
        }
        Path target = folder.resolveSibling(name.substring(0, name.length() - SUFFIX.length()));
        return Files.isDirectory(target) ? target : null;
    }

    private String seen() {
        return "largest |dlogit| %.6f, rms %.6f; tokens per target step %.3f"
                .formatted(largest, Math.sqrt(squares / Math.max(1, compared)), perStep());
    }

    private double perStep() {
        return (double) tokens / Math.max(1, targetSteps);
    }

    private void judge(String name, JsonNode prompt, Tally tally) {
        List<String> faults = new ArrayList<>();
        compareChain(prompt, faults);
        count(name + ": drafts", faults, tally);
        faults.clear();
        compareRun(prompt, faults);
        count(name + ": run", faults, tally);
    }

    private static void count(String name, List<String> faults, Tally tally) {
        if (faults.isEmpty()) {
            tally.right();
        } else {
            tally.wrong(name + ": " + String.join("; ", faults));
        }
    }

    /** The reference's own tokens as input, so that one fault is not followed by others. */
    private void compareChain(JsonNode prompt, List<String> faults) {
        int[] ids = ints(prompt.path("ids"));
        driver.step(0, ids);
        if (isExact) {
            compareStates(prompt.path("aux"), driver.states(ids.length), faults);
        }
        int first = prompt.path("target_greedy").path(0).asInt();
        int[] drafts = ints(prompt.path("draft_tokens"));
        float[] logits = driver.pass(Features.TARGET, 0, shifted(ids, first), 0);
        for (int i = 0; i < drafts.length; i++) {
            JsonNode step = prompt.path("steps").path(i);
            double margin = prompt.path("draft_margin_min").asDouble();
            if (!step.isMissingNode()) {
                compareLogits("step " + i, step, logits, faults);
                JsonNode top = step.path("top_logits");
                margin = top.path(0).asDouble() - top.path(1).asDouble();
            }
            int draft = driver.targetId(LmDriver.argmax(logits));
            if (draft != drafts[i] && margin > (isExact ? TOLERANCE : BF16_SURE)) {
                faults.add("draft %d is %d, expected %d".formatted(i, draft, drafts[i]));
            }
            int row = i == 0 ? ids.length - 1 : 0;
            logits = driver.pass(Features.OWN, ids.length + i, new int[] {drafts[i]}, row);
        }
    }

    private void compareStates(JsonNode goldens, float[][] rows, List<String> faults) {
        int width = rows[0].length / driver.layerIds().size();
        for (int i = 0; i < goldens.size(); i++) {
            JsonNode golden = goldens.path(i);
            int id = golden.path("layer_id").asInt();
            if (driver.layerIds().get(i) != id) {
                faults.add("states are those of " + driver.layerIds());
                return;
            }
            double sum = 0;
            for (float[] row : rows) {
                for (int c = 0; c < width; c++) {
                    sum += row[i * width + c];
                }
            }
            double limit = SUM_TOLERANCE * golden.path("sum_abs").asDouble();
            double worst = 0;
            for (int c = 0; c < golden.path("last_row_8").size(); c++) {
                double last = golden.path("last_row_8").path(c).asDouble();
                double first = golden.path("first_row_8").path(c).asDouble();
                worst = Math.max(worst, Math.abs(last - rows[rows.length - 1][i * width + c]));
                worst = Math.max(worst, Math.abs(first - rows[0][i * width + c]));
            }
            if (!(Math.abs(sum - golden.path("sum").asDouble()) <= limit)
                    || !(worst <= TOLERANCE)) {
                faults.add("states before layer %d: sum %.4f, |d| %.6f".formatted(id, sum, worst));
            }
        }
    }

    private void compareLogits(String name, JsonNode golden, float[] logits, List<String> faults) {
        int[] ids = ints(golden.path("top_draft_ids"));
        double worst = Math.abs(GoldenRun.logsumexp(logits) - golden.path("logsumexp").asDouble());
        double sum = 0;
        for (int i = 0; i < ids.length; i++) {
            double d = logits[ids[i]] - golden.path("top_logits").path(i).asDouble();
            worst = Math.max(worst, Math.abs(d)); // NaN stays
            sum += d * d;
        }
        largest = Math.max(largest, worst);
        squares += sum;
        compared += ids.length;
        double rms = Math.sqrt(sum / Math.max(1, ids.length));
        if (isExact ? !(worst <= TOLERANCE) : !(rms <= BF16_RMS)) {
            faults.add("%s: |dlogit| %.6f, rms %.6f".formatted(name, worst, rms));
        }
    }

    /**
     * Drafting, verifying and accepting greedily gives the greedy text, by the reference's steps.
     */
    private void compareRun(JsonNode prompt, List<String> faults) {
        int[] ids = ints(prompt.path("ids"));
        int[] greedy = ints(prompt.path("target_greedy"));
        if (ids.length + greedy.length + Eagle3Run.NUM_DRAFTS > driver.maxTokens()) {
            faults.add("longer than " + driver.maxTokens() + " tokens");
            return;
        }
        Eagle3Run run = new Eagle3Run(driver);
        int[] plain = run.plain(ids, greedy.length);
        int[] text = Arrays.copyOf(ids, ids.length + greedy.length);
        List<Step> steps = run.speculate(text, ids.length);
        int[] made = Arrays.copyOfRange(text, ids.length, text.length);
        if (!Arrays.equals(made, plain)) {
            faults.add("with drafts %s, without %s".formatted(list(made), list(plain)));
        }
        if (isExact && !Arrays.equals(made, greedy)) {
            faults.add("text %s, expected %s".formatted(list(made), list(greedy)));
        }
        boolean isSure = prompt.path("run_draft_margin_min").asDouble() > TOLERANCE;
        List<Step> expected =
                prompt.path("run")
                        .valueStream()
                        .map(step ->
                                new Step(
                                        step.path("known").asInt(),
                                        list(ints(step.path("drafts"))),
                                        step.path("accepted").asInt()))
                        .toList();
        if (isExact && isSure && !steps.equals(expected)) {
            faults.add("steps %s, expected %s".formatted(steps, expected));
        }
        tokens += greedy.length - 1; // the prompt's own step gives the first
        targetSteps += steps.size();
    }

    /** Of each token the next one. */
    private static int[] shifted(int[] ids, int last) {
        int[] shifted = Arrays.copyOfRange(ids, 1, ids.length + 1);
        shifted[ids.length - 1] = last;
        return shifted;
    }

    private static List<Integer> list(int[] values) {
        return Arrays.stream(values).boxed().toList();
    }

    private static int[] ints(JsonNode array) {
        return array.valueStream().mapToInt(JsonNode::intValue).toArray();
    }
}
