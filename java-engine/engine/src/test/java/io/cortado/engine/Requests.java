package io.cortado.engine;

import io.cortado.api.Scheduling;
import java.util.List;

/** Makes requests for tests that need no text. */
final class Requests {
    static final int[] NO_IDS = {};
    static final PrefixKeys PREFIXES = new PrefixKeys("tests", true, Integer.MAX_VALUE);

    private Requests() {}

    static RequestSpec spec(int[] prompt, int n, int maxOutput, long seed, int... endIds) {
        return spec(prompt, n, maxOutput, seed, Scheduling.DEFAULT, endIds);
    }

    /** One answer of a priority. */
    static RequestSpec spec(int[] prompt, int maxOutput, int priority) {
        return spec(prompt, 1, maxOutput, 3, Scheduling.DEFAULT.priority(priority));
    }

    private static RequestSpec spec(
            int[] prompt, int n, int maxOutput, long seed, Scheduling scheduling, int... endIds) {
        return new RequestSpec(
                prompt,
                n,
                maxOutput,
                seed,
                RowParams.RAW,
                -1,
                -1,
                scheduling,
                PREFIXES.of(prompt, n, prompt.length + maxOutput, ""),
                null,
                () -> new StopRules(endIds, 0, maxOutput, null));
    }

    /**
     * Of the first four kinds: counts on the device, counts that cannot be made again, rules that
     * follow the tokens, all of them; else none.
     */
    static RowParams rules(int kind) {
        boolean keeps = kind == 1 || kind == 3;
        boolean counts = kind == 0 || keeps;
        boolean follows = kind == 2 || kind == 3;
        RowParams raw = RowParams.RAW;
        return new RowParams(
                raw.row(),
                raw.biasIds(),
                raw.biasValues(),
                null,
                raw.promptMarks(),
                counts,
                keeps,
                follows ? new BadWords(NO_IDS, new int[][] {{1, 2}}) : null,
                null,
                List.of(),
                null);
    }

    static int[] prompt(int length) {
        int[] prompt = new int[length];
        for (int i = 0; i < length; i++) {
            prompt[i] = i % 97;
        }
        return prompt;
    }

    static Request request(Door door, int prompt, int n, int maxOutput, long seed) {
        door.enter(n, prompt);
        return new Request(spec(prompt(prompt), n, maxOutput, seed), door, 1);
    }
}
