package io.cortado.text;

import java.util.BitSet;

/** Each word is one token or unknown. */
record WordLevelModel(TokenIds vocabulary, int unknownId) implements WordModel {
    @Override
    public void tokenize(String word, BitSet forbidden, WordTokens out) {
        int id = vocabulary.find(word);
        int token =
                id == TokenIds.ABSENT || forbidden.get(id)
                        ? WordModel.knownUnknown(unknownId, word)
                        : id;
        out.add(token, Utf8.length(word, 0, word.length()));
    }
}
