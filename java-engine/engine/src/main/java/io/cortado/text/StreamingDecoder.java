package io.cortado.text;

/**
 * Ids to text as they come. The pieces join to {@link Tokenizer#decode} of all ids, and none ends
 * inside a character. For one stream, used by one thread at a time.
 */
public final class StreamingDecoder {
    private final Vocabulary vocabulary;
    private final boolean skipSpecialTokens;
    private final StringBuilder text = new StringBuilder();
    private final TokenStream stream;

    public StreamingDecoder(Tokenizer tokenizer, boolean skipSpecialTokens) {
        this.vocabulary = tokenizer.vocabulary();
        this.skipSpecialTokens = skipSpecialTokens;
        stream = tokenizer.decoder().open(text);
    }

    /** The text that is certain after this id; empty while that hangs on the ids to come. */
    public String feed(int id) {
        if (!(skipSpecialTokens && vocabulary.isSkipped(id))) {
            String token = vocabulary.text(id);
            if (token != null) {
                stream.accept(token, true);
            }
        }
        return take();
    }

    /** True if text of the last ids is held back, such as the bytes of an unfinished character. */
    public boolean isMidCharacter() {
        return stream.holdsText();
    }

    /** Ends the stream: what is left of an unfinished character is one U+FFFD. */
    public String flush() {
        stream.finish();
        return take();
    }

    private String take() {
        if (text.isEmpty()) {
            return "";
        }
        String taken = text.toString();
        text.setLength(0);
        return taken;
    }
}
