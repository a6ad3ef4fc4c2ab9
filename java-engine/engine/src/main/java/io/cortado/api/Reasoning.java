package io.cortado.api;

/**
 * Where a model's reasoning ends and its answer begins: what it thinks stands between two markers,
 * such as {@code <think>} and {@code </think>}, before the answer.
 *
 * @param begin a control token's spelling in it is that token, as in {@code end}; empty: an output
 *     begins inside of its reasoning, whatever the prompt
 * @param end never empty
 */
public record Reasoning(String begin, String end) {
    private static final int MAX_CHARS = 256;

    public Reasoning {
        if (end.isEmpty() || end.length() > MAX_CHARS || begin.length() > MAX_CHARS) {
            throw EngineException.invalid(
                    Constraint.PARAM,
                    "markers of reasoning must have at most %d characters and an end: begin=%d end=%d"
                            .formatted(MAX_CHARS, begin.length(), end.length()));
        }
        if (begin.equals(end)) {
            throw EngineException.invalid(
                    Constraint.PARAM, "markers of reasoning must differ: begin=end=" + end);
        }
    }
}
