package io.cortado.text;

/**
 * Ids to text as they come. The pieces join to {@link Tokenizer#decode} of all ids, and none ends
 * inside a character. For one stream, used by one thread at a time.
 */
public final class StreamingDecoder {
    private final Vocabulary vocabulary;
    private final boolean skipSpecialTokens;
    private final Utf8Stream utf8 = new Utf8Stream();

    public StreamingDecoder(Tokenizer tokenizer, boolean skipSpecialTokens) {
        this.vocabulary = tokenizer.vocabulary();
        this.skipSpecialTokens = skipSpecialTokens;
    }

    /** The text that is certain after this id; empty while a character is unfinished. */
    public String feed(int id) {
        if (skipSpecialTokens && vocabulary.isSkipped(id)) {
            return "";
        }
        var out = new StringBuilder();
        utf8.feed(vocabulary.bytes(id), out);
        return out.toString();
    }

    /** True if the last id ended inside a character. */
    public boolean isMidCharacter() {
        return utf8.isMidCharacter();
    }

    /** Ends the stream: what is left of an unfinished character is one U+FFFD. */
    public String flush() {
        var out = new StringBuilder();
        utf8.flush(out);
        return out.toString();
    }
}
