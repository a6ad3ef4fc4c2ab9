package io.cortado.text;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import org.jspecify.annotations.Nullable;

/**
 * Text to token ids and back, by a {@code tokenizer.json}. Immutable and thread-safe.
 *
 * <p>A prompt is a list of {@link Segment segments}. Only {@link Origin#TEMPLATE} text can become
 * special tokens; apart from that the ids are those of the joined text. Lone surrogates are read as
 * U+FFFD.
 */
public final class Tokenizer {
    private final TokenizerParts parts;

    Tokenizer(TokenizerParts parts) {
        this.parts = parts;
    }

    /**
     * Reads the tokenizer in a model's folder: {@code tokenizer.json}, else {@code tokenizer.model}
     * (SentencePiece or tiktoken), else a tiktoken file, else {@code vocab.json} with {@code
     * merges.txt}.
     */
    public static Tokenizer open(Path modelDir) throws IOException {
        return TokenizerFolder.open(modelDir);
    }

    /** Whether a folder holds any of the files that {@link #open} reads. */
    public static boolean isIn(Path modelDir) throws IOException {
        return TokenizerFolder.holdsTokenizer(modelDir);
    }

    /**
     * Reads a tiktoken file.
     *
     * @param name the file's name; a family in it, such as o200k or qwen, names the split pattern
     *     and the control tokens, else the number of ranks does
     */
    public static Tokenizer parseTiktoken(byte[] content, String name) {
        return TiktokenTokenizer.read(content, name, null);
    }

    /** Reads a tiktoken file of no known family: its words are cut so, nothing is added. */
    public static Tokenizer parseTiktoken(byte[] content, PreTokenization words) {
        return TiktokenTokenizer.read(content, words.declaration());
    }

    /** Reads the content of a {@code tokenizer.json}. */
    public static Tokenizer parse(byte[] tokenizerJson) {
        return TokenizerFile.parse(tokenizerJson);
    }

    /**
     * Reads the tokenizer that a GGUF file carries.
     *
     * @param metadata the file's key-value pairs, {@code tokenizer.ggml.*} among them: strings as
     *     {@code String}, booleans as {@code Boolean}, numbers as {@code Number}, arrays as {@code
     *     String[]}, {@code int[]}, {@code float[]}, {@code byte[]} or {@code List}
     */
    public static Tokenizer fromGguf(Map<String, ?> metadata) {
        return GgufTokenizer.read(metadata);
    }

    /**
     * The ids of a prompt. Tokens that are not special, such as {@code <think>}, match in user text
     * too.
     *
     * @param addSpecialTokens whether the file's template (a leading bos, say) is put around the
     *     ids
     */
    public int[] encode(List<Segment> segments, boolean addSpecialTokens) {
        return encode(segments, addSpecialTokens, AddedTokenMatch.NON_SPECIAL);
    }

    /** The same, with another choice of what matches in user text. */
    public int[] encode(
            List<Segment> segments, boolean addSpecialTokens, AddedTokenMatch userMatch) {
        return encode(PromptText.of(segments, userMatch), addSpecialTokens);
    }

    /**
     * The ids of one text as the reference has them: the pieces of some files' models spell control
     * tokens too, whatever {@code match} says. Text of a client comes as a segment.
     */
    public int[] encode(String text, boolean addSpecialTokens, AddedTokenMatch match) {
        return encode(PromptText.of(text, match), addSpecialTokens);
    }

    /**
     * The row that the file makes of a text, or of two such as a query and a passage: with places,
     * and with the truncation and the padding that the file declares. No other method applies
     * those.
     *
     * @param addSpecialTokens whether the file's template puts its ids around them
     * @param match what matches in both texts, which are read as {@link #encode(String, boolean,
     *     AddedTokenMatch)} does
     */
    public Encoding encodeRow(
            String text, @Nullable String pair, boolean addSpecialTokens, AddedTokenMatch match) {
        LocatedTokens[] texts =
                pair == null
                        ? new LocatedTokens[] {locate(text, match)}
                        : new LocatedTokens[] {locate(text, match), locate(pair, match)};
        PostProcessor postProcessor = parts.postProcessor();
        if (parts.truncation() != null) {
            parts.truncation()
                    .apply(texts, addSpecialTokens ? postProcessor.added(texts.length) : 0);
        }
        for (boolean addPrefixSpace : postProcessor.trims()) {
            for (LocatedTokens located : texts) {
                located.trim(addPrefixSpace);
            }
        }
        Encoding row = postProcessor.join(texts, addSpecialTokens);
        return parts.padding() == null ? row : parts.padding().apply(row);
    }

    /** Whether the file declares a truncation or a padding. */
    public boolean resizesRows() {
        return parts.truncation() != null || parts.padding() != null;
    }

    private LocatedTokens locate(String text, AddedTokenMatch match) {
        var located = new LocatedTokens();
        parts.addedTokens()
                .cut(
                        PromptText.of(text, match),
                        Places.CODE_POINTS,
                        parts.normalizer(),
                        new AddedTokens.Sink() {
                            @Override
                            public void token(
                                    AddedToken token, AlignedText text, int start, int end) {
                                located.addToken(
                                        token.id(),
                                        text.text().substring(start, end),
                                        text.start(start),
                                        text.end(Math.max(start, end - 1)));
                            }

                            @Override
                            public void text(
                                    AlignedText text, int start, int end, boolean trusted) {
                                parts.spelledWords()
                                        .split(
                                                text,
                                                start,
                                                end,
                                                (word, from, to) ->
                                                        locateWord(word, from, to, trusted));
                            }

                            private void locateWord(
                                    AlignedText word, int from, int to, boolean trusted) {
                                located.addWord(
                                        parts.wordTokenizer()
                                                .locate(word.text().substring(from, to), trusted),
                                        word,
                                        from,
                                        parts.vocabulary(),
                                        parts.wordTokenizer().unknownWrittenAsText());
                            }
                        });
        return located;
    }

    private int[] encode(PromptText prompt, boolean addSpecialTokens) {
        var ids = new IntList();
        for (PostProcessor.Part part : parts.postProcessor().single()) {
            switch (part) {
                case PostProcessor.Text _ -> append(prompt, ids);
                case PostProcessor.Ids special -> {
                    if (addSpecialTokens) {
                        ids.addAll(special.ids());
                    }
                }
            }
        }
        return ids.toArray();
    }

    private void append(PromptText prompt, IntList ids) {
        WordTokenizer words = parts.wordTokenizer();
        parts.addedTokens()
                .cut(
                        prompt,
                        parts.placesFor(),
                        parts.normalizer(),
                        new AddedTokens.Sink() {
                            @Override
                            public void token(
                                    AddedToken token, AlignedText text, int start, int end) {
                                ids.add(token.id());
                            }

                            @Override
                            public void text(
                                    AlignedText text, int start, int end, boolean trusted) {
                                parts.words()
                                        .split(
                                                text,
                                                start,
                                                end,
                                                (word, from, to) ->
                                                        words.tokenize(
                                                                word.text(),
                                                                from,
                                                                to,
                                                                trusted,
                                                                ids));
                            }
                        });
    }

    /** The text of ids; invalid UTF-8 becomes U+FFFD, one for each maximal part. */
    public String decode(int[] ids, boolean skipSpecialTokens) {
        var decoder = new StreamingDecoder(this, skipSpecialTokens);
        var text = new StringBuilder();
        for (int id : ids) {
            text.append(decoder.feed(id));
        }
        return text.append(decoder.flush()).toString();
    }

    /** The bytes that a token stands for in the middle of a text; none for a hole in the ids. */
    public byte[] tokenBytes(int id) {
        return parts.vocabulary().bytes(id).clone();
    }

    /** The token as the file spells it (byte letters and all), or null for a hole in the ids. */
    public @Nullable String tokenText(int id) {
        return parts.vocabulary().text(id);
    }

    /** The largest id plus one. A model's logits may be wider. */
    public int vocabSize() {
        return parts.vocabulary().size();
    }

    /** The id of a token by the file's spelling. */
    public OptionalInt idOf(String token) {
        Integer id = parts.vocabulary().id(token);
        return id == null ? OptionalInt.empty() : OptionalInt.of(id);
    }

    /** Whether the file declares the token as special, that is as a control token. */
    public boolean isSpecial(int id) {
        return parts.vocabulary().isSpecial(id);
    }

    Vocabulary vocabulary() {
        return parts.vocabulary();
    }

    Decoder decoder() {
        return parts.decoder();
    }
}
