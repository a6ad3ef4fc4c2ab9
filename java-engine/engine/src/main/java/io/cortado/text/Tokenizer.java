package io.cortado.text;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import org.jspecify.annotations.Nullable;

/**
 * Text to token ids and back, by a {@code tokenizer.json} of byte-level BPE. Immutable and
 * thread-safe.
 *
 * <p>A prompt is a list of {@link Segment segments}. Only {@link Origin#TEMPLATE} text can become
 * special tokens; apart from that the ids are those of the joined text. Lone surrogates are read as
 * U+FFFD.
 */
public final class Tokenizer {
    private final Normalizer normalizer;
    private final PreTokenizer preTokenizer;
    private final WordModel model;
    private final PostProcessor postProcessor;
    private final AddedTokens addedTokens;
    private final Vocabulary vocabulary;

    Tokenizer(
            Normalizer normalizer,
            PreTokenizer preTokenizer,
            WordModel model,
            PostProcessor postProcessor,
            AddedTokens addedTokens,
            Vocabulary vocabulary) {
        this.normalizer = normalizer;
        this.preTokenizer = preTokenizer;
        this.model = model;
        this.postProcessor = postProcessor;
        this.addedTokens = addedTokens;
        this.vocabulary = vocabulary;
    }

    /** Reads {@code tokenizer.json} in a model's folder. */
    public static Tokenizer open(Path modelDir) throws IOException {
        Path file = modelDir.resolve("tokenizer.json");
        long size = Files.size(file);
        if (size > TokenizerFile.MAX_FILE_BYTES) {
            throw new TokenizerFormatException(
                    "tokenizer file too large: "
                            + file
                            + " bytes="
                            + size
                            + " limit="
                            + TokenizerFile.MAX_FILE_BYTES);
        }
        return parse(Files.readAllBytes(file));
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

    /** The ids of one text. */
    public int[] encode(String text, boolean addSpecialTokens, AddedTokenMatch match) {
        return encode(PromptText.of(text, match), addSpecialTokens);
    }

    /**
     * Two texts as one row, such as a query and a passage.
     *
     * @param addSpecialTokens whether the file's template for pairs puts its ids around them
     * @param match what matches in both texts
     */
    public EncodedPair encodePair(
            String text, String pair, boolean addSpecialTokens, AddedTokenMatch match) {
        PromptText[] texts = {PromptText.of(text, match), PromptText.of(pair, match)};
        var ids = new IntList();
        var typeIds = new IntList();
        for (PostProcessor.Part part : postProcessor.pair()) {
            append(part, texts, addSpecialTokens, ids);
            while (typeIds.size() < ids.size()) {
                typeIds.add(part.typeId());
            }
        }
        return new EncodedPair(ids.toArray(), typeIds.toArray());
    }

    private int[] encode(PromptText prompt, boolean addSpecialTokens) {
        PromptText[] texts = {prompt};
        var ids = new IntList();
        for (PostProcessor.Part part : postProcessor.single()) {
            append(part, texts, addSpecialTokens, ids);
        }
        return ids.toArray();
    }

    private void append(
            PostProcessor.Part part, PromptText[] texts, boolean addSpecialTokens, IntList ids) {
        switch (part) {
            case PostProcessor.Text place -> append(texts[place.index()], ids);
            case PostProcessor.Ids special -> {
                if (addSpecialTokens) {
                    ids.addAll(special.ids());
                }
            }
        }
    }

    private void append(PromptText prompt, IntList ids) {
        addedTokens.cut(
                prompt,
                normalizer,
                new AddedTokens.Sink() {
                    @Override
                    public void token(int id) {
                        ids.add(id);
                    }

                    @Override
                    public void text(String normalized) {
                        preTokenizer.split(normalized, word -> model.tokenize(word, ids));
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
        return vocabulary.bytes(id).clone();
    }

    /** The token as the file spells it (byte letters and all), or null for a hole in the ids. */
    public @Nullable String tokenText(int id) {
        return vocabulary.text(id);
    }

    /** The largest id plus one. A model's logits may be wider. */
    public int vocabSize() {
        return vocabulary.size();
    }

    /** The id of a token by the file's spelling. */
    public OptionalInt idOf(String token) {
        Integer id = vocabulary.id(token);
        return id == null ? OptionalInt.empty() : OptionalInt.of(id);
    }

    /** Whether the file declares the token as special, that is as a control token. */
    public boolean isSpecial(int id) {
        return vocabulary.isSpecial(id);
    }

    Vocabulary vocabulary() {
        return vocabulary;
    }
}
