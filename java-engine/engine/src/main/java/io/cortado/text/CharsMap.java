package io.cortado.text;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * SentencePiece's precompiled normalization: a double-array trie of what is replaced, and the
 * replacements one after the other, each ended by a zero byte.
 *
 * <p>The reference looks a whole grapheme cluster up if it has fewer than 6 bytes, and then takes
 * the shortest entry that it begins with; else each character by itself.
 */
final class CharsMap implements Normalizer {
    private static final int MAX_BYTES = 8 << 20;
    private static final int MAX_CLUSTER_BYTES = 5;

    /** For no change; no replacement holds a zero. */
    private static final String KEPT = "\0";

    private static final Pattern CLUSTER = Pattern.compile("\\X");

    private final int[] units;
    private final byte[] replacements;

    /** What single characters become, as far as one has asked; {@link #KEPT} for no change. */
    private final @Nullable String[] single = new String[0x10000];

    private CharsMap(int[] units, byte[] replacements) {
        this.units = units;
        this.replacements = replacements;
    }

    /** Reads the decoded {@code precompiled_charsmap}. */
    static CharsMap parse(byte[] map) {
        int trieBytes = map.length < 4 ? -1 : little(map, 4).getInt();
        if (map.length > MAX_BYTES
                || trieBytes < 4
                || trieBytes % 4 != 0
                || trieBytes > map.length - 4) {
            throw new TokenizerFormatException(
                    "precompiled_charsmap must hold its size, a trie and texts: bytes="
                            + map.length
                            + " trieBytes="
                            + trieBytes
                            + " limit="
                            + MAX_BYTES);
        }
        var units = new int[trieBytes / 4];
        ByteBuffer.wrap(map, 4, trieBytes).order(ByteOrder.LITTLE_ENDIAN).asIntBuffer().get(units);
        byte[] texts = Arrays.copyOfRange(map, 4 + trieBytes, map.length);
        try {
            StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(texts));
        } catch (CharacterCodingException e) {
            throw new TokenizerFormatException(
                    "the texts of precompiled_charsmap are not UTF-8: bytes=" + texts.length, e);
        }
        return new CharsMap(units, texts);
    }

    private static ByteBuffer little(byte[] map, int bytes) {
        return ByteBuffer.wrap(map, 0, bytes).order(ByteOrder.LITTLE_ENDIAN);
    }

    @Override
    public AlignedText normalize(AlignedText source) {
        String text = source.text();
        var out = new Rewrite();
        Matcher clusters = CLUSTER.matcher(text);
        boolean changed = false;
        for (int i = 0; i < text.length(); ) {
            int end = clusterEnd(text, i, clusters);
            changed |= rewrite(text, i, end, out);
            i = end;
        }
        return changed ? out.of(source) : source;
    }

    /** Plain letters are clusters by themselves, which spares most texts the search. */
    private static int clusterEnd(String text, int start, Matcher clusters) {
        char c = text.charAt(start);
        if (c < 0x300
                && c != '\r'
                && (start + 1 == text.length() || text.charAt(start + 1) < 0x300)) {
            return start + 1;
        }
        return clusters.region(start, text.length()).lookingAt() ? clusters.end() : start + 1;
    }

    private boolean rewrite(String text, int start, int end, Rewrite out) {
        if (Utf8.length(text, start, end) <= MAX_CLUSTER_BYTES && replace(text, start, end, out)) {
            return true;
        }
        boolean changed = false;
        for (int i = start; i < end; ) {
            int c = text.codePointAt(i);
            int next = i + Character.charCount(c);
            if (replace(text, i, next, out)) {
                changed = true;
            } else {
                out.replace(c);
            }
            i = next;
        }
        return changed;
    }

    private boolean replace(String text, int start, int end, Rewrite out) {
        String replacement =
                end - start == 1 ? ofUnit(text.charAt(start)) : find(text.substring(start, end));
        if (replacement == null || replacement.equals(KEPT)) {
            return false;
        }
        out.replace(replacement, text.codePointCount(start, end));
        return true;
    }

    private String ofUnit(char c) {
        String known = single[c];
        if (known == null) {
            String found = find(String.valueOf(c));
            known = found == null ? KEPT : found;
            // A race costs a second search, no more.
            single[c] = known;
        }
        return known;
    }

    /** The replacement of the shortest entry that the key begins with. */
    private @Nullable String find(String key) {
        int node = offset(unit(0));
        for (byte b : key.getBytes(StandardCharsets.UTF_8)) {
            int c = b & 0xFF;
            if (c == 0) {
                return null;
            }
            node ^= c;
            int unit = unit(node);
            if ((unit & (1 << 31 | 0xFF)) != c) {
                return null;
            }
            node ^= offset(unit);
            if ((unit >>> 8 & 1) == 1) {
                return text(unit(node) & Integer.MAX_VALUE);
            }
        }
        return null;
    }

    private int unit(int node) {
        if (node < 0 || node >= units.length) {
            throw new TokenizerFormatException(
                    "precompiled_charsmap points out of its trie: node="
                            + node
                            + " nodes="
                            + units.length);
        }
        return units[node];
    }

    private static int offset(int unit) {
        return unit >>> 10 << ((unit & 1 << 9) >>> 6);
    }

    private String text(int from) {
        int to = from;
        while (to < replacements.length && replacements[to] != 0) {
            to++;
        }
        if (from > to) {
            throw new TokenizerFormatException(
                    "precompiled_charsmap points out of its texts: at="
                            + from
                            + " bytes="
                            + replacements.length);
        }
        return new String(replacements, from, to - from, StandardCharsets.UTF_8);
    }
}
