package io.cortado.engine;

import io.cortado.api.Scheduling;

/** Makes requests for tests that need no text. */
final class Requests {
    static final int[] NO_IDS = {};
    static final PrefixKeys PREFIXES = new PrefixKeys("tests", true, Integer.MAX_VALUE);

    private Requests() {}

    static RequestSpec spec(int[] prompt, int n, int maxOutput, long seed, int... endIds) {
        return new RequestSpec(
                prompt,
                n,
                maxOutput,
                seed,
                RowParams.RAW,
                -1,
                -1,
                Scheduling.DEFAULT,
                PREFIXES.of(prompt, n, prompt.length + maxOutput, ""),
                null,
                () -> new StopRules(endIds, 0, maxOutput, null));
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
