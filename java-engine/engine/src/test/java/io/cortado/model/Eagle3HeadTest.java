package io.cortado.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.engine.Devices;
import io.cortado.model.DraftHead.Features;
import io.cortado.model.Eagle3Bed.Rows;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

/** The demo's EAGLE-3 head against what torch gave for it (golden.json). */
class Eagle3HeadTest {
    /** Of a logit or a number of a state, between two orders of float32 sums. Seen: 1.3e-5. */
    private static final double TOLERANCE = 1e-4;

    private static final int NUM_DRAFTS = 4;

    private static void assertNear(double expected, double got, double tolerance, String what) {
        assertTrue(Math.abs(expected - got) <= tolerance, what + ": " + expected + ", " + got);
    }

    @ParameterizedTest
    @ValueSource(strings = {"cpu", "simt:0"})
    void statesLogitsAndDraftsAreThoseOfTorch(String device) throws IOException {
        Devices.assumePresent(device);
        try (Eagle3Bed bed = new Eagle3Bed(device, Activations.F32)) {
            for (JsonNode prompt : Eagle3Bed.prompts()) {
                compare(bed, prompt);
            }
        }
    }

    private static void compare(Eagle3Bed bed, JsonNode prompt) {
        int[] ids = Eagle3Bed.ints(prompt.path("ids"));
        bed.step(new Rows(0, 0, ids, 0));
        for (int i = 0; i < bed.config.layerIds().size(); i++) {
            compareStates(prompt.path("aux").path(i), bed.states(i, ids.length));
        }
        int next = Eagle3Bed.argmax(bed.targetLogits(0));
        assertEquals(prompt.path("target_greedy").path(0).asInt(), next);
        bed.pass(Features.TARGET, new Rows(0, 0, Eagle3Bed.shifted(ids, next), 0));
        List<Integer> drafts = new ArrayList<>();
        for (int step = 0; step < NUM_DRAFTS; step++) {
            float[] logits = bed.draftLogits(0);
            if (step < prompt.path("steps").size()) {
                compareLogits(prompt.path("steps").path(step), logits, bed.head);
            }
            int token = bed.head.targetId(Eagle3Bed.argmax(logits));
            drafts.add(token);
            int row = step == 0 ? ids.length - 1 : 0;
            bed.pass(Features.OWN, new Rows(0, ids.length + step, new int[] {token}, row));
        }
        assertArrayEquals(
                Eagle3Bed.ints(prompt.path("draft_tokens")),
                drafts.stream().mapToInt(Integer::intValue).toArray());
    }

    private static void compareStates(JsonNode golden, float[][] states) {
        double sum = 0;
        double absolute = 0;
        for (float[] row : states) {
            for (float value : row) {
                sum += value;
                absolute += Math.abs(value);
            }
        }
        double scale = golden.path("sum_abs").asDouble();
        assertNear(golden.path("sum").asDouble(), sum, 1e-6 * scale, "sum");
        assertNear(scale, absolute, 1e-6 * scale, "sum of absolutes");
        for (int i = 0; i < 8; i++) {
            double first = golden.path("first_row_8").path(i).asDouble();
            double last = golden.path("last_row_8").path(i).asDouble();
            assertNear(first, states[0][i], TOLERANCE, "first row");
            assertNear(last, states[states.length - 1][i], TOLERANCE, "last row");
        }
    }

    private static void compareLogits(JsonNode golden, float[] logits, Eagle3Head head) {
        int[] top = Eagle3Bed.ints(golden.path("top_draft_ids"));
        double sum = 0;
        for (float logit : logits) {
            sum += Math.exp(logit);
        }
        double logsumexp = golden.path("logsumexp").asDouble();
        assertNear(logsumexp, Math.log(sum), TOLERANCE, "logsumexp");
        for (int i = 0; i < top.length; i++) {
            double expected = golden.path("top_logits").path(i).asDouble();
            assertNear(expected, logits[top[i]], TOLERANCE, "logit of " + top[i]);
            assertEquals(golden.path("top_target_ids").path(i).asInt(), head.targetId(top[i]));
        }
    }
}
