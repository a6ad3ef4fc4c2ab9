package io.cortado.text;

/** Turns one word of the pre-tokenizer into ids. Implementations are thread-safe. */
interface WordModel {
    void tokenize(String word, IntList out);
}
