package io.cortado.text;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;

/**
 * Reads the fields of one protobuf message within given bytes; every length is checked against what
 * is left before anything is made of it.
 */
final class ProtobufReader {
    static final int VARINT = 0;
    static final int FIXED64 = 1;
    static final int BYTES = 2;
    static final int FIXED32 = 5;

    private final byte[] content;
    private final int end;
    private int at;
    private int field;
    private int wireType;

    ProtobufReader(byte[] content) {
        this(content, 0, content.length);
    }

    private ProtobufReader(byte[] content, int start, int end) {
        this.content = content;
        this.at = start;
        this.end = end;
    }

    /** Goes to the next field; the value of the last one must have been read or skipped. */
    boolean next() {
        if (at == end) {
            return false;
        }
        long key = varint();
        long number = key >>> 3;
        if (number < 1 || number > (1 << 29) - 1) {
            throw malformed("field number out of range: field=" + number);
        }
        field = (int) number;
        wireType = (int) (key & 7);
        return true;
    }

    int field() {
        return field;
    }

    long number() {
        require(VARINT);
        return varint();
    }

    boolean flag() {
        return number() != 0;
    }

    float decimal() {
        require(FIXED32);
        int bits = 0;
        int start = take(4);
        for (int i = 3; i >= 0; i--) {
            bits = bits << 8 | content[start + i] & 0xFF;
        }
        return Float.intBitsToFloat(bits);
    }

    byte[] bytes() {
        require(BYTES);
        int size = length();
        int start = take(size);
        return java.util.Arrays.copyOfRange(content, start, start + size);
    }

    /** Text, which must be well-formed UTF-8. */
    String text() {
        require(BYTES);
        int size = length();
        int start = take(size);
        try {
            return StandardCharsets.UTF_8
                    .newDecoder()
                    .onMalformedInput(CodingErrorAction.REPORT)
                    .decode(ByteBuffer.wrap(content, start, size))
                    .toString();
        } catch (CharacterCodingException e) {
            throw malformed("text is not UTF-8: " + e.getMessage());
        }
    }

    ProtobufReader message() {
        require(BYTES);
        int size = length();
        int start = take(size);
        return new ProtobufReader(content, start, start + size);
    }

    void skip() {
        switch (wireType) {
            case VARINT -> varint();
            case FIXED64 -> take(8);
            case BYTES -> take(length());
            case FIXED32 -> take(4);
            default -> throw malformed("wire type not supported: type=" + wireType);
        }
    }

    private void require(int expected) {
        if (wireType != expected) {
            throw malformed("wire type must be " + expected + ": type=" + wireType);
        }
    }

    private int length() {
        long length = varint();
        if (length < 0 || length > end - at) {
            throw malformed("length beyond the end: length=" + length + " left=" + (end - at));
        }
        return (int) length;
    }

    private int take(int size) {
        if (size > end - at) {
            throw malformed("value beyond the end: bytes=" + size + " left=" + (end - at));
        }
        int start = at;
        at += size;
        return start;
    }

    private long varint() {
        long value = 0;
        for (int shift = 0; shift < 64; shift += 7) {
            byte b = content[take(1)];
            value |= (long) (b & 0x7F) << shift;
            if (b >= 0) {
                return value;
            }
        }
        throw malformed("number longer than ten bytes");
    }

    private TokenizerFormatException malformed(String what) {
        return new TokenizerFormatException(
                "tokenizer.model is no SentencePiece file: "
                        + what
                        + " field="
                        + field
                        + " position="
                        + at);
    }
}
