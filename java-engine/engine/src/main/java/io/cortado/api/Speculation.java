package io.cortado.api;

/**
 * Who drafts tokens ahead of the model, and how many. The model verifies all drafts of a step at
 * once. Which tokens come out does not depend on any of this, at no temperature and under no
 * option: only how many a step gives.
 *
 * @param method who drafts
 * @param model folder, or name of a bundled model, of what drafts; empty where nothing is loaded
 * @param tokens the most that are drafted for a sequence in a step, 1 to 32
 * @param lookupMin n-grams: tokens that must match, 1 to lookupMax
 * @param lookupMax n-grams: tokens that are compared at most, to 16
 * @param adaptive as many tokens as pay, down to none, by measured times and acceptance; false:
 *     always {@code tokens}
 * @param offAbove no drafts in steps of more sequences
 * @param shape how drafts hang together; trees have {@code tokens} on the longest way
 */
public record Speculation(
        Method method,
        String model,
        int tokens,
        int lookupMin,
        int lookupMax,
        boolean adaptive,
        int offAbove,
        DraftShape shape) {

    private static final int MAX_TOKENS = 32;
    private static final int MAX_LOOKUP = 16;
    private static final int ANY_LOAD = 1 << 20;

    /** Nobody drafts. */
    public static final Speculation OFF =
            new Speculation(Method.OFF, "", 4, 1, 5, true, ANY_LOAD, DraftShape.CHAIN);

    /** Who drafts. */
    public enum Method {
        /** Nobody. */
        OFF,
        /** What followed, earlier in the same text, on the tokens at its end (prompt lookup). */
        NGRAM,
        /** The same, and what followed in earlier answers of the same tenant. */
        SUFFIX,
        /** A smaller model, whose vocabulary has the same tokens or some of them. */
        DRAFT_MODEL,
        /** A head trained on the model's inner states, in EAGLE-3's form. */
        EAGLE3,
        /** A layer of the model's own files that was trained to predict a further token. */
        MTP
    }

    public Speculation {
        Ranges.within("num_speculative_tokens", 1, MAX_TOKENS, tokens);
        Ranges.within("prompt_lookup_max", 1, MAX_LOOKUP, lookupMax);
        Ranges.within("prompt_lookup_min", 1, lookupMax, lookupMin);
        Ranges.within("disable_by_batch_size", 1, ANY_LOAD, offAbove);
        boolean isLoaded = method == Method.DRAFT_MODEL || method == Method.EAGLE3;
        if (isLoaded == model.isEmpty()) {
            throw EngineException.invalid(
                    "model",
                    isLoaded
                            ? "the speculative method " + method + " needs a model"
                            : "the speculative method " + method + " has no model: " + model);
        }
        boolean draftsOnDevice = isLoaded || method == Method.MTP;
        if (!(shape instanceof DraftShape.Chain) && !draftsOnDevice && method != Method.OFF) {
            throw EngineException.invalid(
                    "speculative_token_tree",
                    "trees are drafted by draft_model, eagle3 and mtp: method=" + method);
        }
        if (shape instanceof DraftShape.Fixed fixed && fixed.depth() != tokens) {
            throw EngineException.invalid(
                    "num_speculative_tokens",
                    "the longest way of the tree must have num_speculative_tokens, %d: %d"
                            .formatted(tokens, fixed.depth()));
        }
    }

    /** By what was said before in the same text. */
    public static Speculation ngram(int tokens) {
        return OFF.with(Method.NGRAM, "").tokens(tokens);
    }

    /** By what was said before in the same text and in the tenant's earlier answers. */
    public static Speculation suffix(int tokens) {
        return OFF.with(Method.SUFFIX, "").tokens(tokens);
    }

    /** By a smaller model. */
    public static Speculation draftModel(String model, int tokens) {
        return OFF.with(Method.DRAFT_MODEL, model).tokens(tokens);
    }

    /** By a head in EAGLE-3's form. */
    public static Speculation eagle3(String model, int tokens) {
        return OFF.with(Method.EAGLE3, model).tokens(tokens);
    }

    /** By the model's own layer that predicts a further token. */
    public static Speculation mtp(int tokens) {
        return OFF.with(Method.MTP, "").tokens(tokens);
    }

    public boolean isOff() {
        return method == Method.OFF;
    }

    private Speculation with(Method value, String folder) {
        return new Speculation(
                value, folder, tokens, lookupMin, lookupMax, adaptive, offAbove, shape);
    }

    /** With the model of what drafts elsewhere. */
    public Speculation model(String folder) {
        return with(method, folder);
    }

    public Speculation tokens(int value) {
        return new Speculation(
                method, model, value, lookupMin, lookupMax, adaptive, offAbove, shape);
    }

    public Speculation lookup(int min, int max) {
        return new Speculation(method, model, tokens, min, max, adaptive, offAbove, shape);
    }

    /** With trees of the likeliest drafts. */
    public Speculation tree(int size, int topK) {
        return shape(new DraftShape.TopK(size, topK));
    }

    /** With drafts that hang together so. */
    public Speculation shape(DraftShape value) {
        int depth = value instanceof DraftShape.Fixed fixed ? fixed.depth() : tokens;
        return new Speculation(
                method, model, depth, lookupMin, lookupMax, adaptive, offAbove, value);
    }

    public boolean hasTrees() {
        return !(shape instanceof DraftShape.Chain);
    }

    /** The most drafts of a sequence in a step. */
    public int nodes() {
        return shape.nodes(tokens);
    }

    public Speculation adaptive(boolean value) {
        return new Speculation(method, model, tokens, lookupMin, lookupMax, value, offAbove, shape);
    }

    public Speculation offAbove(int numSeqs) {
        return new Speculation(
                method, model, tokens, lookupMin, lookupMax, adaptive, numSeqs, shape);
    }
}
