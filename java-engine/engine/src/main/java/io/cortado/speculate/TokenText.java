package io.cortado.speculate;

/** The tokens of a sequence that are known, prompt and output. */
public interface TokenText {
    int size();

    int token(int index);
}
