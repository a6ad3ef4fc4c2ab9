package io.cortado.text;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HexFormat;
import org.jspecify.annotations.Nullable;

/** The tokens {@code <0x00>} to {@code <0xFF>} of a vocabulary, as far as it has them. */
final class ByteTokens {
    private final int[] ids = new int[256];

    ByteTokens(TokenIds vocabulary) {
        HexFormat hex = HexFormat.of().withUpperCase();
        for (int b = 0; b < 256; b++) {
            ids[b] = vocabulary.find("<0x" + hex.toHexDigits((byte) b) + ">");
        }
    }

    boolean hasAll() {
        return Arrays.stream(ids).allMatch(id -> id >= 0);
    }

    boolean contains(int id) {
        return id >= 0 && Arrays.stream(ids).anyMatch(i -> i == id);
    }

    /** The ids of the bytes of a text, or null if the vocabulary lacks one of them. */
    int @Nullable [] of(String text) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        var tokens = new int[bytes.length];
        for (int i = 0; i < bytes.length; i++) {
            tokens[i] = ids[bytes[i] & 0xFF];
            if (tokens[i] < 0) {
                return null;
            }
        }
        return tokens;
    }

    /** The byte that a token stands for, or -1 if it is not one of these. */
    static int byteOf(String token) {
        if (token.length() != 6 || !token.startsWith("<0x") || token.charAt(5) != '>') {
            return -1;
        }
        int high = Character.digit(token.charAt(3), 16);
        int low = Character.digit(token.charAt(4), 16);
        return high < 0 || low < 0 ? -1 : high << 4 | low;
    }
}
