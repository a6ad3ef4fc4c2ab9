package io.cortado.text;

import java.util.Arrays;
import java.util.BitSet;
import java.util.List;

/**
 * The cut of a word with the best sum of scores, as SentencePiece's unigram models have it. A
 * character that no piece covers costs ten more than the worst piece.
 */
final class UnigramModel implements WordModel {
    private static final double UNKNOWN_PENALTY = 10;
    private static final int NOWHERE = -1;

    private final CharTrie pieces = new CharTrie();
    private final TokenIds ids = new TokenIds();
    private final double[] scores;
    private final int unknownId;
    private final double unknownScore;
    private final boolean byteFallback;
    private final ByteTokens byteTokens;

    /**
     * A piece's id is its place in the list. Of two pieces of one spelling the later one counts.
     *
     * @param unknownId the id for text that no piece covers, or -1 for none
     */
    UnigramModel(List<String> spellings, double[] scores, int unknownId, boolean byteFallback) {
        this.scores = scores;
        this.unknownId = unknownId;
        this.byteFallback = byteFallback;
        for (int id = 0; id < spellings.size(); id++) {
            ids.put(spellings.get(id), id);
            if (!spellings.get(id).isEmpty()) {
                pieces.put(spellings.get(id), id);
            }
        }
        unknownScore = Arrays.stream(scores).min().orElse(0) - UNKNOWN_PENALTY;
        byteTokens = new ByteTokens(ids);
    }

    @Override
    public int unknownId() {
        return unknownId;
    }

    @Override
    public boolean writesUnknownAsText() {
        return true;
    }

    @Override
    public void tokenize(String word, BitSet forbidden, WordTokens out) {
        int n = word.length();
        var best = new double[n + 1];
        var from = new int[n + 1];
        var piece = new int[n + 1];
        Arrays.fill(from, NOWHERE);
        for (int start = 0; start < n; ) {
            start = extend(word, start, forbidden, best, from, piece);
        }
        // Turn the links around, so that the path can be walked from its start.
        var to = new int[n + 1];
        for (int end = n; end > 0; end = from[end]) {
            to[from[end]] = end;
        }
        for (int start = 0; start < n; ) {
            int end = to[start];
            while (piece[end] == unknownId && end < n && piece[to[end]] == unknownId) {
                end = to[end];
            }
            emit(word, start, end, piece[to[start]], forbidden, out);
            start = end;
        }
    }

    /** Follows every piece that begins at {@code start}, and answers where the next may begin. */
    private int extend(
            String word, int start, BitSet forbidden, double[] best, int[] from, int[] piece) {
        int next = start + Character.charCount(word.codePointAt(start));
        boolean covered = false;
        int node = CharTrie.ROOT;
        for (int end = start; end < word.length(); ) {
            node = pieces.step(node, word.charAt(end++));
            if (node == CharTrie.NONE) {
                break;
            }
            int id = pieces.token(node);
            if (id != CharTrie.NONE && !forbidden.get(id)) {
                offer(best[start] + scores[id], start, end, id, best, from, piece);
                covered |= end == next;
            }
        }
        if (!covered) {
            WordModel.knownUnknown(unknownId, word);
            offer(best[start] + unknownScore, start, next, unknownId, best, from, piece);
        }
        return next;
    }

    private static void offer(
            double score, int start, int end, int id, double[] best, int[] from, int[] piece) {
        if (from[end] == NOWHERE || score > best[end]) {
            best[end] = score;
            from[end] = start;
            piece[end] = id;
        }
    }

    private void emit(String word, int start, int end, int id, BitSet forbidden, WordTokens out) {
        int bytes = Utf8.length(word, start, end);
        if (id != unknownId) {
            out.add(id, bytes);
            return;
        }
        // The reference looks a run of unknown characters up once more, then writes its bytes.
        String run = word.substring(start, end);
        int known = ids.find(run);
        int[] tokens = known == TokenIds.ABSENT && byteFallback ? byteTokens.of(run) : null;
        if (tokens == null) {
            out.add(known == TokenIds.ABSENT || forbidden.get(known) ? unknownId : known, bytes);
            return;
        }
        int at = Utf8.length(word, 0, start);
        for (int token : tokens) {
            out.add(token, at, at + bytes);
        }
        out.skip(bytes);
    }
}
