package io.cortado.bench.tokenizer;

/** Another project's tokenizer with a vocabulary loaded. */
public interface TokenizerPeer extends AutoCloseable {
    String name();

    int[] encode(String text);

    @Override
    void close();
}
