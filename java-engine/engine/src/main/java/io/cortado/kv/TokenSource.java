package io.cortado.kv;

/** The tokens of a sequence by position. */
@FunctionalInterface
public interface TokenSource {
    int token(int position);
}
