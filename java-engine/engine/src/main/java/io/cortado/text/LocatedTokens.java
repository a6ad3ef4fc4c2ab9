package io.cortado.text;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;

/** The tokens of one text with their places, before the post-processor. */
final class LocatedTokens {
    private final IntList ids = new IntList();
    private final IntList starts = new IntList();
    private final IntList ends = new IntList();
    private final List<String> spellings = new ArrayList<>();

    /** How many tokens there are at the end of each word and of each added token. */
    private final IntList wordEnds = new IntList();

    private final BitSet addedWords = new BitSet();

    /**
     * @param spelling how the token is written, with the white space that it swallowed
     */
    private void add(int id, String spelling, int start, int end) {
        ids.add(id);
        starts.add(start);
        ends.add(end);
        spellings.add(spelling);
    }

    /** An added token, which is a word by itself. */
    void addToken(int id, String spelling, int start, int end) {
        add(id, spelling, start, end);
        addedWords.set(wordEnds.size());
        wordEnds.add(size());
    }

    /**
     * The tokens of a word that stands in {@code text[start, ...)}.
     *
     * @param writtenAsText the id of a token that counts as written like the text it stands for
     */
    void addWord(
            WordTokens tokens,
            AlignedText text,
            int start,
            Vocabulary vocabulary,
            int writtenAsText) {
        int unit = start;
        int bytes = 0;
        for (int i = 0; i < tokens.size(); i++) {
            if (tokens.startByte(i) < bytes) {
                unit = start;
                bytes = 0;
            }
            int first = unit(text, unit, tokens.startByte(i) - bytes);
            bytes += Utf8.length(text.text(), unit, first);
            unit = first;
            int last = unit(text, unit, Math.max(tokens.endByte(i) - 1 - bytes, 0));
            String spelling =
                    tokens.id(i) == writtenAsText
                            ? text.text().substring(first, text.text().offsetByCodePoints(last, 1))
                            : vocabulary.text(tokens.id(i));
            add(tokens.id(i), spelling == null ? "" : spelling, text.start(first), text.end(last));
        }
        wordEnds.add(size());
    }

    /**
     * What is left where the reference, which stops after the word that makes {@code most} tokens,
     * goes through the words from the one side: it cuts afterwards.
     */
    LocatedTokens limited(int most, boolean fromLeft) {
        int words = wordEnds.size();
        int total = 0;
        for (int i = 0; i < words; i++) {
            int word = fromLeft ? words - 1 - i : i;
            int from = word == 0 ? 0 : wordEnds.at(word - 1);
            total += wordEnds.at(word) - from;
            if (total >= most && !addedWords.get(word)) {
                return fromLeft ? part(from, size()) : part(0, wordEnds.at(word));
            }
        }
        return this;
    }

    /** The unit of the character that holds a byte, counted from a unit. */
    private static int unit(AlignedText text, int from, int bytes) {
        int left = bytes;
        int unit = from;
        while (unit < text.length()) {
            int c = text.text().codePointAt(unit);
            left -= Utf8.length(c);
            if (left < 0 || unit + Character.charCount(c) >= text.length()) {
                break;
            }
            unit += Character.charCount(c);
        }
        return unit;
    }

    int size() {
        return ids.size();
    }

    int id(int index) {
        return ids.at(index);
    }

    int start(int index) {
        return starts.at(index);
    }

    int end(int index) {
        return ends.at(index);
    }

    /** The tokens {@code [from, to)}. */
    LocatedTokens part(int from, int to) {
        var part = new LocatedTokens();
        for (int i = from; i < to; i++) {
            part.add(id(i), spellings.get(i), start(i), end(i));
        }
        return part;
    }

    /**
     * Takes the white space at a token's ends out of its place, as byte-level post-processors do.
     *
     * @param addPrefixSpace whether the one space of a text's first token was put there, and so
     *     stands for nothing that could be taken away
     */
    void trim(boolean addPrefixSpace) {
        for (int i = 0; i < size(); i++) {
            String token = spellings.get(i);
            int leading = spaces(token, false);
            int trailing = spaces(token, true);
            if (leading > 0) {
                boolean isFirst = i == 0 || start(i) == 0;
                boolean wasAdded = isFirst && addPrefixSpace && leading == 1;
                starts.set(i, Math.min(start(i) + (wasAdded ? 0 : leading), end(i)));
            }
            if (trailing > 0 && end(i) >= trailing) {
                ends.set(i, Math.max(end(i) - trailing, start(i)));
            }
        }
    }

    private static int spaces(String token, boolean fromEnd) {
        int count = 0;
        while (count < token.length()) {
            char c = token.charAt(fromEnd ? token.length() - 1 - count : count);
            if (c != ByteLetters.SPACE && !CharKind.isSpace(c)) {
                break;
            }
            count++;
        }
        return count;
    }
}
