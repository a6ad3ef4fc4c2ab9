package io.cortado.constrain;

import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
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

    private final long maxBytes;
    private final Map<ByteBuffer, LexMask> masks = new LinkedHashMap<>(16, 0.75f, true);
    private long bytes;

    CommonMasks(long maxBytes) {
        this.maxBytes = maxBytes;
    }

    /** What a rest is kept by; null where it is not. */
    static @Nullable ByteBuffer key(Regex rest) {
        var bytes = new ByteArrayOutputStream(256);
        try {
            int left = write(rest, MAX_NODES, new DataOutputStream(bytes));
            return left < 0 ? null : ByteBuffer.wrap(bytes.toByteArray());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** A node, then its parts; returns how many more nodes may follow, negative for too many. */
    private static int write(Regex regex, int most, DataOutputStream out) throws IOException {
        int left = most - 1;
        if (left < 0) {
            return left;
        }
        out.writeByte(regex.kind.ordinal());
        switch (regex.kind) {
            case BYTES -> {
                out.writeLong(regex.set.word0());
                out.writeLong(regex.set.word1());
                out.writeLong(regex.set.word2());
                out.writeLong(regex.set.word3());
            }
            case LITERAL -> {
                out.writeInt(regex.literal.length);
                out.write(regex.literal);
            }
            case REPEAT, MULTIPLE -> {
                out.writeInt(regex.min);
                out.writeInt(regex.max);
            }
            case NOTHING, EMPTY, CONCAT, OR, AND, NOT, SHORTEST -> {}
        }
        out.writeInt(regex.parts.length);
        for (Regex part : regex.parts) {
            left = write(part, left, out);
            if (left < 0) {
                return left;
            }
        }
        return left;
    }

    synchronized @Nullable LexMask get(ByteBuffer key) {
        return masks.get(key);
    }

    synchronized void put(ByteBuffer key, LexMask mask) {
        if (masks.putIfAbsent(key, mask) != null) {
            return;
        }
        bytes += sizeBytes(key, mask);
        var oldest = masks.entrySet().iterator();
        while (bytes > maxBytes && oldest.hasNext()) {
            var entry = oldest.next();
            bytes -= sizeBytes(entry.getKey(), entry.getValue());
            oldest.remove();
        }
    }

    private static long sizeBytes(ByteBuffer key, LexMask mask) {
        return key.capacity() + mask.sizeBytes() + ENTRY_BYTES;
    }

    synchronized long sizeBytes() {
        return bytes;
    }
}
