package io.cortado.text;

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
        @Nullable Padding padding) {}
