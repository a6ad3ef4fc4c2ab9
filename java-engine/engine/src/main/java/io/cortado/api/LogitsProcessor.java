package io.cortado.api;

/**
 * Changes the logits of one answer's next token in process, before all other rules. One instance
 * serves one answer and may keep what it wants between the calls.
 *
 * <p>What it costs: the row goes to the host and back (two copies of the vocabulary in float32), a
 * step of this answer begins only once its last token is known, and the call runs on the engine's
 * own thread while the next step of the others runs on the device: a call that takes longer than a
 * step delays everybody, and one that never returns stops the engine. Answers without processors
 * keep their path. At most {@value #MAX_ROWS} such rows run in a step.
 *
 * <p>What it throws, and a NaN or plus infinity that it leaves, fails its request and no other.
 */
@FunctionalInterface
public interface LogitsProcessor {
    /** Rows with processors that a step takes; further ones wait for a later step. */
    int MAX_ROWS = 32;

    /**
     * @param context the tokens so far; not to be kept
     * @param logits one a token of the model's vocabulary, raw, to be changed in place; minus
     *     infinity bans. Not to be kept: the array is used again
     */
    void process(Context context, float[] logits);

    /** The tokens before the one that is to be drawn. */
    interface Context {
        int promptSize();

        int promptId(int index);

        int outputSize();

        int outputId(int index);
    }
}
