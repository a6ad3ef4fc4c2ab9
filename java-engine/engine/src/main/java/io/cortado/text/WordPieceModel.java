package io.cortado.text;

import java.util.BitSet;

/**
 * The longest token first, then the longest of those with the prefix, as BERT's models have it. A
 * word with a part that no token covers, or with too many characters, is unknown as a whole.
 */
final class WordPieceModel implements WordModel {
    private final CharTrie pieces = new CharTrie();
    private final int continuation;
    private final int unknownId;
    private final int maxChars;

    /**
     * @param prefix what the tokens have in front that do not begin a word
     * @param maxChars how many code points a word may have
     */
    WordPieceModel(TokenIds vocabulary, int unknownId, String prefix, int maxChars) {
        this.unknownId = unknownId;
        this.maxChars = maxChars;
        vocabulary.forEach(pieces::put);
        int node = CharTrie.ROOT;
        for (int i = 0; i < prefix.length() && node != CharTrie.NONE; i++) {
            node = pieces.step(node, prefix.charAt(i));
        }
        continuation = node;
    }

    @Override
    public int unknownId() {
        return unknownId;
    }

    @Override
    public void tokenize(String word, BitSet forbidden, WordTokens out) {
        if (word.codePointCount(0, word.length()) > maxChars) {
            unknown(word, out);
            return;
        }
        var found = new IntList();
        var ends = new IntList();
        for (int start = 0; start < word.length(); ) {
            int end = longest(word, start, forbidden, found);
            if (end == start) {
                unknown(word, out);
                return;
            }
            ends.add(end);
            start = end;
        }
        for (int i = 0, start = 0; i < found.size(); start = ends.at(i++)) {
            out.add(found.at(i), Utf8.length(word, start, ends.at(i)));
        }
    }

    private void unknown(String word, WordTokens out) {
        out.add(WordModel.knownUnknown(unknownId, word), Utf8.length(word, 0, word.length()));
    }

    /** Adds the longest token at {@code start} to {@code found} and answers where it ends. */
    private int longest(String word, int start, BitSet forbidden, IntList found) {
        int longest = start;
        int token = CharTrie.NONE;
        int node = start == 0 ? CharTrie.ROOT : continuation;
        for (int i = start; i < word.length() && node != CharTrie.NONE; ) {
            node = pieces.step(node, word.charAt(i++));
            int here = node == CharTrie.NONE ? CharTrie.NONE : pieces.token(node);
            if (here != CharTrie.NONE && !forbidden.get(here)) {
                longest = i;
                token = here;
            }
        }
        if (longest > start) {
            found.add(token);
        }
        return longest;
    }
}
