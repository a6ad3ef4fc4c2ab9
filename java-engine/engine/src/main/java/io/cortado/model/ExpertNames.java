package io.cortado.model;

/**
 * What a family calls the matrices of a layer's experts.
 *
 * @param block prefix of all of them
 * @param gate of an expert, after {@code experts.0.}
 * @param sharedExpert prefix, after the block, of the expert that all tokens have
 * @param fused how all experts of a layer lie in one tensor, where a file has them so
 */
record ExpertNames(
        String block,
        String router,
        String gate,
        String up,
        String down,
        String sharedExpert,
        Fused fused) {
    /** Of {@code experts.gate_up_proj} and {@code experts.down_proj}. */
    enum Fused {
        /** [experts][out][in], gate before up. */
        HALVES,
        /** [experts][in][out], columns of gate and up by turns: gpt-oss. */
        ALTERNATING
    }

    /** The names of most families. */
    static final ExpertNames USUAL =
            new ExpertNames(
                    "mlp.",
                    "gate",
                    "gate_proj",
                    "up_proj",
                    "down_proj",
                    "shared_expert",
                    Fused.HALVES);

    ExpertNames sharedExpert(String name) {
        return new ExpertNames(block, router, gate, up, down, name, fused);
    }

    /**
     * @param at the layer's prefix
     */
    String expert(String at, int expert) {
        return at + block + "experts." + expert + ".";
    }

    String router(String at) {
        return at + block + router;
    }

    String sharedExpert(String at, String module) {
        return at + block + sharedExpert + "." + module;
    }

    /** The row whose product with a token gates what the shared expert adds. */
    String sharedGate(String at) {
        return at + block + sharedExpert + "_gate";
    }
}
