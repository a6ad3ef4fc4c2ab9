package io.cortado.text;

import java.util.Map;
import java.util.concurrent.atomic.AtomicReferenceArray;
import org.jspecify.annotations.Nullable;

/**
 * Byte pair encoding: the pair of lowest rank is joined first, the leftmost among equals.
 *
 * <p>Short words are merged by looking at all pairs each time, long ones with a heap over a linked
 * list, so the cost stays near-linear in the word. Recent words are remembered in a table of fixed
 * size.
 */
final class BpeModel implements WordModel {
    private static final int CACHE_SLOTS = 1 << 14;
    private static final int MAX_CACHED_CHARS = 48;
    private static final int MAX_SCANNED_SYMBOLS = 24;

    private final Map<String, Integer> vocabulary;
    private final PairTable merges;
    private final boolean ignoreMerges;
    private final @Nullable Integer unknownId;
    private final boolean fuseUnknown;
    private final int[] letterIds = new int[0x180];
    private final AtomicReferenceArray<@Nullable CachedWord> cache =
            new AtomicReferenceArray<>(CACHE_SLOTS);

    private record CachedWord(String word, int[] ids) {}

    BpeModel(
            Map<String, Integer> vocabulary,
            PairTable merges,
            boolean ignoreMerges,
            @Nullable Integer unknownId,
            boolean fuseUnknown) {
        this.vocabulary = vocabulary;
        this.merges = merges;
        this.ignoreMerges = ignoreMerges;
        this.unknownId = unknownId;
        this.fuseUnknown = fuseUnknown;
        for (int c = 0; c < letterIds.length; c++) {
            letterIds[c] = vocabulary.getOrDefault(String.valueOf((char) c), -1);
        }
    }

    @Override
    public void tokenize(String word, IntList out) {
        if (word.length() > MAX_CACHED_CHARS) {
            out.addAll(merge(word));
            return;
        }
        int hash = word.hashCode();
        int slot = (hash ^ hash >>> 15) & CACHE_SLOTS - 1;
        CachedWord cached = cache.getOpaque(slot);
        if (cached == null || !cached.word.equals(word)) {
            cached = new CachedWord(word, merge(word));
            cache.setRelease(slot, cached);
        }
        out.addAll(cached.ids);
    }

    private int[] merge(String word) {
        if (ignoreMerges) {
            Integer whole = vocabulary.get(word);
            if (whole != null) {
                return new int[] {whole};
            }
        }
        int[] symbols = symbols(word);
        return symbols.length <= MAX_SCANNED_SYMBOLS
                ? MergeQueue.mergeByScanning(symbols, merges)
                : new MergeQueue(symbols, merges).merge();
    }

    private int[] symbols(String word) {
        var symbols = new IntList();
        boolean afterUnknown = false;
        for (int i = 0; i < word.length(); ) {
            int c = word.codePointAt(i);
            int end = i + Character.charCount(c);
            int id =
                    c < letterIds.length
                            ? letterIds[c]
                            : vocabulary.getOrDefault(word.substring(i, end), -1);
            if (id >= 0) {
                symbols.add(id);
                afterUnknown = false;
            } else if (unknownId != null) {
                if (!(fuseUnknown && afterUnknown)) {
                    symbols.add(unknownId);
                }
                afterUnknown = true;
            }
            i = end;
        }
        return symbols.toArray();
    }
}
