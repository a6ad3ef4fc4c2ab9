package io.cortado.text;

import java.util.ArrayList;
import java.util.List;
import tools.jackson.databind.JsonNode;

/** A pre-tokenizer by itself, to look at the words that a model is given. */
public final class PreTokenization {
    private static final int MAX_BYTES = 1 << 20;

    private final JsonNode declaration;
    private final PreTokenizer preTokenizer;

    private PreTokenization(JsonNode declaration) {
        this.declaration = declaration;
        this.preTokenizer = PreTokenizerFile.read(declaration, false).spelledWords();
    }

    /** Reads the {@code pre_tokenizer} object of a {@code tokenizer.json}. */
    public static PreTokenization parse(byte[] json) {
        return new PreTokenization(JsonFiles.parse(json, "pre_tokenizer", MAX_BYTES));
    }

    /** The pre-tokenizer that llama.cpp gives this name, such as {@code llama-bpe} or qwen2. */
    public static PreTokenization named(String name) {
        return new PreTokenization(GgufPreTokenizers.named(name).words());
    }

    /** The {@code pre_tokenizer} object. */
    JsonNode declaration() {
        return declaration;
    }

    /** The words of a text, spelled as the model gets them, with their places. */
    public List<Word> split(String text) {
        var words = new ArrayList<Word>();
        if (!text.isEmpty()) {
            preTokenizer.split(
                    AlignedText.original(text, 0),
                    0,
                    text.length(),
                    (word, start, end) ->
                            words.add(
                                    new Word(
                                            word.text().substring(start, end),
                                            word.start(start),
                                            word.end(end - 1))));
        }
        return words;
    }

    /**
     * A word.
     *
     * @param start the first code point of the text that it stands for
     * @param end the one after the last
     */
    public record Word(String spelling, int start, int end) {}
}
