package io.cortado.constrain;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Masks of rests that grammars of one vocabulary have in common, such as the inside of a string: by
 * the structure of the rest, which decides them. Bounded by bytes, the least recently used go
 * first. Thread-safe.
 */
final class CommonMasks {
    /** Larger structures are not looked up: few grammars share them. */
    private static final int MAX_NODES = 300;

    private static final int ENTRY_BYTES = 200;

    /** A mask with the structure that it is of, written as numbers. */
    private record Entry(long[] structure, LexMask mask) {
        long sizeBytes() {
            return 8L * structure.length + mask.sizeBytes() + ENTRY_BYTES;
        }
    }

    private final long maxBytes;
    private final Map<Long, Entry> masks = new LinkedHashMap<>(16, 0.75f, true);
    private long bytes;

    CommonMasks(long maxBytes) {
        this.maxBytes = maxBytes;
    }

    /** The mask of the same structure, or null. */
    @Nullable LexMask get(Regex rest) {
        Entry entry;
        synchronized (this) {
            entry = masks.get(rest.fingerprint);
        }
        if (entry == null) {
            return null;
        }
        var structure = new Structure();
        return structure.add(rest) && structure.isSameAs(entry.structure) ? entry.mask : null;
    }

    void put(Regex rest, LexMask mask) {
        var structure = new Structure();
        if (structure.add(rest)) {
            put(rest.fingerprint, new Entry(structure.whole(), mask));
        }
    }

    private synchronized void put(long fingerprint, Entry entry) {
        if (masks.putIfAbsent(fingerprint, entry) != null) {
            return;
        }
        bytes += entry.sizeBytes();
        var oldest = masks.values().iterator();
        while (bytes > maxBytes && oldest.hasNext()) {
            bytes -= oldest.next().sizeBytes();
            oldest.remove();
        }
    }

    synchronized long sizeBytes() {
        return bytes;
    }

    /** Nodes, each before its parts, as numbers that tell all structures apart. */
    private static final class Structure {
        private long[] numbers = new long[64];
        private int count;
        private int numNodes;

        /** False if it is too large. */
        boolean add(Regex regex) {
            if (++numNodes > MAX_NODES) {
                return false;
            }
            add((long) regex.kind.ordinal() << 32 | regex.parts.length);
            switch (regex.kind) {
                case BYTES -> {
                    add(regex.set.word0());
                    add(regex.set.word1());
                    add(regex.set.word2());
                    add(regex.set.word3());
                }
                case LITERAL -> {
                    add(regex.literal.length);
                    for (byte value : regex.literal) {
                        add(value);
                    }
                }
                case REPEAT, MULTIPLE -> add((long) regex.min << 32 | regex.max & 0xFFFF_FFFFL);
                case NOTHING, EMPTY, CONCAT, OR, AND, NOT, SHORTEST -> {}
            }
            for (Regex part : regex.parts) {
                if (!add(part)) {
                    return false;
                }
            }
            return true;
        }

        private void add(long number) {
            if (count == numbers.length) {
                numbers = Arrays.copyOf(numbers, 2 * count);
            }
            numbers[count++] = number;
        }

        boolean isSameAs(long[] other) {
            return Arrays.equals(numbers, 0, count, other, 0, other.length);
        }

        long[] whole() {
            return Arrays.copyOf(numbers, count);
        }
    }
}
