package io.cortado.layout;

/**
 * What a step does, on all ranks together.
 *
 * @param tokens that go through the layers
 * @param keys tokens whose keys and values are read, over all sequences
 * @param pairs of a query's token and a token that it sees
 * @param rows of logits
 */
public record StepWork(double tokens, double keys, double pairs, double rows) {
    /** Of so many answers a token each. */
    public static StepWork decode(double batch, double context) {
        return new StepWork(batch, batch * context, batch * context, batch);
    }

    /** The same divided evenly. */
    StepWork over(double parts) {
        return new StepWork(tokens / parts, keys / parts, pairs / parts, rows / parts);
    }
}
