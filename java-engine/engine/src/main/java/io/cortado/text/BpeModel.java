package io.cortado.text;

import java.util.Arrays;
import java.util.BitSet;

/**
 * Byte pair encoding: the pair of lowest rank is joined first, the leftmost among equals.
 *
 * <p>The words of byte-level models come in byte letters, those of SentencePiece models as they
 * are.
 */
final class BpeModel implements WordModel {
    private final TokenIds vocabulary;
    private final MergeTable merges;
    private final BpeOptions options;
    private final ByteTokens byteTokens;
    private final int[] letterIds = new int[0x180];
    private final boolean mayCut;

    BpeModel(TokenIds vocabulary, MergeTable merges, BpeOptions options) {
        this.vocabulary = vocabulary;
        this.merges = merges;
        this.options = options;
        byteTokens = new ByteTokens(vocabulary);
        for (int c = 0; c < letterIds.length; c++) {
            letterIds[c] = vocabulary.find(String.valueOf((char) c), -1);
        }
        mayCut = mayCut();
    }

    /**
     * Cuts are harmless where a word is nothing but its characters, and where no unknown character
     * runs into the next one or vanishes between two.
     */
    private boolean mayCut() {
        boolean unknownStayAlone =
                options.byteFallback()
                        ? byteTokens.hasAll()
                        : !options.fuseUnknown() && options.unknownId() != BpeOptions.DROP_UNKNOWN;
        return unknownStayAlone
                && !options.ignoreMerges()
                && !options.hasAffixes()
                && !merges.pairs()
                        .joinsAny(id -> id == options.unknownId() || byteTokens.contains(id));
    }

    @Override
    public int unknownId() {
        return options.unknownId();
    }

    @Override
    public int cut(String text, int from, int end) {
        if (!mayCut) {
            return end;
        }
        int last = text.codePointAt(from);
        for (int i = from + Character.charCount(last); i < end; ) {
            int next = text.codePointAt(i);
            if (!merges.mayMeet(last, next)) {
                return i;
            }
            last = next;
            i += Character.charCount(next);
        }
        return end;
    }

    @Override
    public void tokenize(String word, BitSet forbidden, WordTokens out) {
        if (options.ignoreMerges()) {
            int whole = vocabulary.find(word);
            if (whole != TokenIds.ABSENT && !forbidden.get(whole)) {
                out.add(whole, Utf8.length(word, 0, word.length()));
                return;
            }
        }
        var symbols = new Symbols(word.length());
        read(word, forbidden, symbols);
        int left =
                MergeQueue.merge(
                        symbols.ids, symbols.bytes, symbols.size, merges.pairs(), forbidden);
        for (int i = 0; i < left; i++) {
            out.add(symbols.ids[i], symbols.bytes[i]);
        }
    }

    /** The word's characters as tokens, before any merge. */
    private static final class Symbols {
        private int[] ids;
        private int[] bytes;
        private int size;

        Symbols(int capacity) {
            ids = new int[capacity];
            bytes = new int[capacity];
        }

        void add(int id, int length) {
            if (size == ids.length) {
                ids = Arrays.copyOf(ids, size * 2 + 4);
                bytes = Arrays.copyOf(bytes, size * 2 + 4);
            }
            ids[size] = id;
            bytes[size++] = length;
        }
    }

    private void read(String word, BitSet forbidden, Symbols out) {
        int unknownBytes = 0;
        for (int i = 0; i < word.length(); ) {
            int c = word.codePointAt(i);
            int end = i + Character.charCount(c);
            int id = characterId(word, i, end, c);
            if (id >= 0 && !forbidden.get(id)) {
                if (unknownBytes > 0) {
                    out.add(options.unknownId(), unknownBytes);
                    unknownBytes = 0;
                }
                out.add(id, Utf8.length(c));
            } else if (!(options.byteFallback() && writeBytes(spelling(word, i, end), out))) {
                // Fused or not, an unknown run waits for what follows, as in the reference.
                if (unknownBytes > 0 && !options.fuseUnknown()) {
                    out.add(options.unknownId(), unknownBytes);
                    unknownBytes = 0;
                }
                unknownBytes += unknown(word, i, end, c);
            }
            i = end;
        }
        if (unknownBytes > 0) {
            out.add(options.unknownId(), unknownBytes);
        }
    }

    private int characterId(String word, int start, int end, int c) {
        if (c < letterIds.length && !options.hasAffixes()) {
            return letterIds[c];
        }
        return vocabulary.find(spelling(word, start, end), -1);
    }

    /** How the vocabulary spells a character at its place in the word. */
    private String spelling(String word, int start, int end) {
        String character = word.substring(start, end);
        if (!options.hasAffixes()) {
            return character;
        }
        return (start > 0 ? options.prefix() : "")
                + character
                + (end == word.length() ? options.suffix() : "");
    }

    private boolean writeBytes(String spelling, Symbols out) {
        int[] tokens = byteTokens.of(spelling);
        if (tokens == null) {
            return false;
        }
        for (int token : tokens) {
            out.add(token, 1);
        }
        return true;
    }

    /** How many bytes wait for the unknown token; none where the model drops such characters. */
    private int unknown(String word, int start, int end, int c) {
        if (options.unknownId() == BpeOptions.DROP_UNKNOWN) {
            return 0;
        }
        WordModel.knownUnknown(options.unknownId(), word.substring(start, end));
        return Utf8.length(c);
    }
}
