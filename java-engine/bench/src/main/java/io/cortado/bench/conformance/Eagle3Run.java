package io.cortado.bench.conformance;

import io.cortado.model.DraftHead.Features;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Greedy decoding with an EAGLE-3 head's chains: draft, verify in one step of the target, accept.
 */
final class Eagle3Run {
    static final int NUM_DRAFTS = 4;

    private final HeadDriver driver;

    Eagle3Run(HeadDriver driver) {
        this.driver = driver;
    }

    /** What was known before a step of the target, what was drafted, how much was accepted. */
    record Step(int known, List<Integer> drafts, int accepted) {}

    /** So many greedy tokens after a prompt, one a step. */
    int[] plain(int[] ids, int count) {
        int[] made = new int[count];
        float[][] logits = driver.step(0, ids);
        for (int i = 0; i < count; i++) {
            made[i] = LmDriver.argmax(logits[logits.length - 1]);
            if (i + 1 < count) {
                logits = driver.step(ids.length + i, new int[] {made[i]});
            }
        }
        return made;
    }

    /**
     * Fills the text from its prompt's end on.
     *
     * @return the steps after the prompt's own
     */
    List<Step> speculate(int[] text, int promptLength) {
        List<Step> steps = new ArrayList<>();
        int[] ids = Arrays.copyOf(text, promptLength);
        float[][] logits = driver.step(0, ids);
        text[promptLength] = LmDriver.argmax(logits[promptLength - 1]);
        int from = 0; // of the rows whose states the target's last step has kept
        int known = promptLength + 1;
        while (known < text.length) {
            int[] next = Arrays.copyOfRange(text, from + 1, known);
            int[] drafts = chain(from, next, Math.min(NUM_DRAFTS, text.length - known));
            int[] step = new int[drafts.length + 1];
            step[0] = text[known - 1];
            System.arraycopy(drafts, 0, step, 1, drafts.length);
            logits = driver.step(known - 1, step);
            int accepted = 0;
            int at = known;
            while (at < text.length) {
                text[at++] = LmDriver.argmax(logits[accepted]);
                if (accepted == drafts.length || text[at - 1] != drafts[accepted]) {
                    break;
                }
                accepted++;
            }
            steps.add(new Step(known, Arrays.stream(drafts).boxed().toList(), accepted));
            from = known - 1;
            known = at;
        }
        return steps;
    }

    /** The head's rows of the last step's tokens that were kept, then its own. */
    private int[] chain(int from, int[] next, int count) {
        int[] drafts = new int[count];
        float[] logits = driver.pass(Features.TARGET, from, next, 0);
        for (int i = 0; i < count; i++) {
            drafts[i] = driver.targetId(LmDriver.argmax(logits));
            if (i + 1 < count) {
                int row = i == 0 ? next.length - 1 : 0;
                int position = from + next.length + i;
                logits = driver.pass(Features.OWN, position, new int[] {drafts[i]}, row);
            }
        }
        return drafts;
    }
}
