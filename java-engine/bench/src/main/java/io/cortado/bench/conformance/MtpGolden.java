package io.cortado.bench.conformance;

import io.cortado.model.DraftHead.Features;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import tools.jackson.databind.JsonNode;

/**
 * What a {@code golden.json} says of a model's own layer that predicts a further token: its logits
 * behind a prompt, and the logits and tokens of an unrolled chain.
 */
final class MtpGolden {
    /** Of a logit, between two orders of float32 sums. */
    private static final double TOLERANCE = 1e-3;

    private final HeadDriver driver;
    private double largest;

    private MtpGolden(HeadDriver driver) {
        this.driver = driver;
    }

    /** Judges the drafts of each prompt; says what was seen. */
    static String run(GoldenModel model, Path file, int limit, Tally tally) throws IOException {
        JsonNode prompts = JsonLines.readTree(file).path("prompts");
        int count = Math.min(limit, prompts.size());
        if (!prompts.path(0).has("mtp")) {
            return "no drafts of the layer behind the model's own in " + file.getFileName();
        }
        if (!model.isExact() || model.hasOwnKvType()) {
            tally.refused(
                    "drafts: judged with activations f32 and kv-cache-dtype auto only", count);
            return "";
        }
        try (HeadDriver driver = HeadDriver.mtp(model.folder(), model.options())) {
            MtpGolden golden = new MtpGolden(driver);
            for (int i = 0; i < count; i++) {
                List<String> faults = golden.faults(prompts.path(i));
                if (faults.isEmpty()) {
                    tally.right();
                } else {
                    tally.wrong("prompt " + i + ": drafts: " + String.join("; ", faults));
                }
            }
            return "drafts: largest |dlogit| %.6f".formatted(golden.largest);
        }
    }

    /** The reference's own tokens as input, so that one fault is not followed by others. */
    private List<String> faults(JsonNode prompt) {
        List<String> faults = new ArrayList<>();
        int[] ids = ints(prompt.path("ids"));
        driver.step(0, ids);
        int[] next = Arrays.copyOfRange(ids, 1, ids.length + 1);
        next[ids.length - 1] = prompt.path("greedy").path(0).asInt();
        float[] logits = driver.pass(Features.TARGET, 0, next, 0);
        compareAll(prompt.path("mtp").path("last_logits"), logits, faults);
        int[] drafts = ints(prompt.path("draft_tokens"));
        for (int i = 0; i < drafts.length; i++) {
            compare("draft " + i, prompt.path("chain").path(i), logits, faults);
            int draft = LmDriver.argmax(logits);
            if (draft != drafts[i]) {
                faults.add("draft %d is %d, expected %d".formatted(i, draft, drafts[i]));
            }
            int row = i == 0 ? ids.length - 1 : 0;
            logits = driver.pass(Features.OWN, ids.length + i, new int[] {drafts[i]}, row);
        }
        return faults;
    }

    private void compareAll(JsonNode golden, float[] logits, List<String> faults) {
        double worst = golden.size() == logits.length ? 0 : Double.POSITIVE_INFINITY;
        for (int id = 0; id < golden.size(); id++) {
            worst = Math.max(worst, Math.abs(logits[id] - golden.path(id).asDouble())); // NaN stays
        }
        judge("last logits", worst, faults);
    }

    private void compare(String name, JsonNode golden, float[] logits, List<String> faults) {
        int[] ids = ints(golden.path("top_ids"));
        double worst = Math.abs(GoldenRun.logsumexp(logits) - golden.path("logsumexp").asDouble());
        for (int i = 0; i < ids.length; i++) {
            double d = logits[ids[i]] - golden.path("top_logits").path(i).asDouble();
            worst = Math.max(worst, Math.abs(d));
        }
        judge(name, worst, faults);
    }

    private void judge(String name, double worst, List<String> faults) {
        largest = Math.max(largest, worst);
        if (!(worst <= TOLERANCE)) {
            faults.add("%s: |dlogit| %.6f".formatted(name, worst));
        }
    }

    private static int[] ints(JsonNode array) {
        return array.valueStream().mapToInt(JsonNode::intValue).toArray();
    }
}
