package io.cortado.bench;

/** What a load is put on. */
interface Target extends AutoCloseable {
    /** Runs one request to its end, on the caller's thread. */
    Outcome run(int[] prompt, int outputLen) throws InterruptedException;

    /** Ids below this are fair in prompts. */
    int vocabSize();

    @Override
    void close();
}
