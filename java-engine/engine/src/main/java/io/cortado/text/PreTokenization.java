package io.cortado.text;

import java.util.ArrayList;
import java.util.List;

/** A pre-tokenizer by itself, to look at the words that a model is given. */
public final class PreTokenization {
    private static final int MAX_BYTES = 1 << 20;

    private final PreTokenizer preTokenizer;

    private PreTokenization(PreTokenizer preTokenizer) {
        this.preTokenizer = preTokenizer;
    }

    /** Reads the {@code pre_tokenizer} object of a {@code tokenizer.json}. */
    public static PreTokenization parse(byte[] json) {
        return new PreTokenization(
                Pipeline.preTokenizer(JsonFiles.parse(json, "pre_tokenizer", MAX_BYTES)));
    }

    /** The pre-tokenizer that llama.cpp gives this name, such as {@code llama-bpe} or qwen2. */
    public static PreTokenization named(String name) {
        return new PreTokenization(GgufPreTokenizers.named(name).words());
    }

    PreTokenizer preTokenizer() {
        return preTokenizer;
    }

    public List<String> split(String text) {
        var pieces = new ArrayList<String>();
        if (!text.isEmpty()) {
            preTokenizer.split(text, pieces::add);
        }
        return pieces;
    }
}
