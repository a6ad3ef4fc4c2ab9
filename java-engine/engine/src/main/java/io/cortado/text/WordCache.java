package io.cortado.text;

import java.util.concurrent.atomic.AtomicReferenceArray;
import org.jspecify.annotations.Nullable;

/** What recent words became: a table of fixed size in which a newer word takes an older's place. */
final class WordCache {
    /** Longer words are rare, and remembering them would cost more than it saves. */
    static final int MAX_CHARS = 48;

    private static final int SLOTS = 1 << 15;

    private final AtomicReferenceArray<@Nullable Entry> slots = new AtomicReferenceArray<>(SLOTS);

    private record Entry(String word, int[] ids) {}

    /** The ids of {@code text[start, end)}, or null. */
    int @Nullable [] find(String text, int start, int end) {
        Entry entry = slots.getAcquire(slot(text, start, end));
        return entry != null
                        && entry.word.length() == end - start
                        && text.startsWith(entry.word, start)
                ? entry.ids
                : null;
    }

    void put(String word, int[] ids) {
        slots.setRelease(slot(word, 0, word.length()), new Entry(word, ids));
    }

    private static int slot(String text, int start, int end) {
        int hash = 0;
        for (int i = start; i < end; i++) {
            hash = 31 * hash + text.charAt(i);
        }
        hash *= 0x9E3779B9;
        return hash >>> 32 - 15;
    }
}
