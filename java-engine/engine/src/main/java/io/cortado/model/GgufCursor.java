package io.cortado.model;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;

/**
 * Reads a GGUF file's head from front to back. Each number is checked against the bytes that are
 * left before anything is read or allocated by it, and an error names the field that it is of.
 */
final class GgufCursor {
    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt INT =
            ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong LONG =
            ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final MemorySegment bytes;
    private long at;

    GgufCursor(MemorySegment bytes, long at) {
        this.bytes = bytes;
        this.at = at;
    }

    long at() {
        return at;
    }

    long left() {
        return bytes.byteSize() - at;
    }

    int uint8(String field) {
        return bytes.get(ValueLayout.JAVA_BYTE, take(1, field)) & 0xff;
    }

    short int16(String field) {
        return bytes.get(SHORT, take(2, field));
    }

    int int32(String field) {
        return bytes.get(INT, take(4, field));
    }

    long uint32(String field) {
        return Integer.toUnsignedLong(int32(field));
    }

    /** The bits of an unsigned number too: one of 2^63 or more is negative. */
    long int64(String field) {
        return bytes.get(LONG, take(8, field));
    }

    /** A number of things that take at least so many bytes each. */
    long count(String field, long bytesEach) {
        long count = int64(field);
        if (count < 0 || count > left() / bytesEach) {
            throw malformed(
                    "%s must be at most %d, for the %d bytes that are left: %s"
                            .formatted(
                                    field,
                                    left() / bytesEach,
                                    left(),
                                    Long.toUnsignedString(count)));
        }
        return count;
    }

    /** Passes over a string; its bytes begin {@link #at} minus the result. */
    long skipString(String field) {
        long length = count(field + " length", 1);
        at += length;
        return length;
    }

    String string(String field, long maxBytes) {
        long length = int64(field + " length");
        if (length < 0 || length > left() || length > maxBytes) {
            throw malformed(
                    "%s must have at most %d bytes, %d are left: length=%s"
                            .formatted(field, maxBytes, left(), Long.toUnsignedString(length)));
        }
        ByteBuffer text = bytes.asSlice(take(length, field), length).asByteBuffer();
        try {
            return StandardCharsets.UTF_8.newDecoder().decode(text).toString();
        } catch (CharacterCodingException e) {
            throw ModelException.invalid("malformed GGUF: " + field + " is not UTF-8", e);
        }
    }

    void skip(long count, String field) {
        take(count, field);
    }

    private long take(long count, String field) {
        if (count > left()) {
            throw malformed(
                    "the file ends inside %s: %d bytes needed, %d left"
                            .formatted(field, count, left()));
        }
        long start = at;
        at += count;
        return start;
    }

    static ModelException malformed(String what) {
        return ModelException.invalid("malformed GGUF: " + what);
    }
}
