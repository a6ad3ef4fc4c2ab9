package io.cortado.text;

import java.util.BitSet;
import java.util.Map;

/** Each word is one token or unknown. */
record WordLevelModel(Map<String, Integer> vocabulary, int unknownId) implements WordModel {
    @Override
    public void tokenize(String word, BitSet forbidden, WordTokens out) {
        Integer id = vocabulary.get(word);
        int token = id == null || forbidden.get(id) ? WordModel.knownUnknown(unknownId, word) : id;
        out.add(token, Utf8.length(word, 0, word.length()));
    }
}
