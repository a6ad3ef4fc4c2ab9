package io.cortado.text;

/** The ids that the file's template puts around a single text. */
record PostProcessor(int[] before, int[] after) {
    static final PostProcessor NONE = new PostProcessor(new int[0], new int[0]);
}
