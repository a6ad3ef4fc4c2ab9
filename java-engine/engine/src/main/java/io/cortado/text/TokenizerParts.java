package io.cortado.text;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What every format of tokenizer files is read into.
 *
 * @param placesFor what the pre-tokenizer needs to know of places even where nobody asks for
 *     offsets
 * @param words cuts a normalized text for {@code wordTokenizer}
 * @param spelledWords the same with byte letters spelled, for places
 */
record TokenizerParts(
        Normalizer normalizer,
        Places placesFor,
        PreTokenizer words,
        PreTokenizer spelledWords,
        WordTokenizer wordTokenizer,
        PostProcessor postProcessor,
        AddedTokens addedTokens,
        Vocabulary vocabulary,
        Decoder decoder,
        @Nullable Truncation truncation,
        @Nullable Padding padding) {
    /**
     * The parts of a byte-level model as the older formats describe it.
     *
     * @param words cuts a normalized text into words, which are not spelled in byte letters yet
     * @param tokens the model's tokens by their ids, null for a hole
     */
    static TokenizerParts byteLevel(
            Normalizer normalizer,
            PreTokenizer words,
            WordModel model,
            PostProcessor postProcessor,
            List<AddedToken> added,
            @Nullable String[] tokens) {
        var decoder = new Decoder(List.of(new DecoderSteps.ByteLevel()));
        var vocabulary = new Vocabulary(tokens, added, decoder);
        return new TokenizerParts(
                normalizer,
                Places.NONE,
                words,
                PreTokenizer.sequence(List.of(words, PreTokenizer.byteLevel(false, false, true))),
                new WordTokenizer(model, vocabulary.special(), true),
                postProcessor,
                new AddedTokens(added),
                vocabulary,
                decoder,
                null,
                null);
    }
}
