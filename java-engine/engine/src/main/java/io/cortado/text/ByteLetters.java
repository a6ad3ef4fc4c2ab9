package io.cortado.text;

import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/** The alphabet of byte-level models: one printable letter for each byte, as GPT-2 laid it down. */
final class ByteLetters {
    /** The letter of the byte of a space. */
    static final char SPACE = '\u0120';

    private static final char[] LETTER = new char[256];
    private static final short[] BYTE = new short[0x144];

    static {
        java.util.Arrays.fill(BYTE, (short) -1);
        int next = 0x100;
        for (int b = 0; b < 256; b++) {
            boolean printable = (b >= '!' && b <= '~') || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE;
            LETTER[b] = (char) (printable ? b : next++);
            BYTE[LETTER[b]] = (short) b;
        }
    }

    private ByteLetters() {}

    static String spell(String text) {
        return spell(text.getBytes(StandardCharsets.UTF_8));
    }

    static String spell(byte[] bytes) {
        var letters = new char[bytes.length];
        for (int i = 0; i < bytes.length; i++) {
            letters[i] = LETTER[bytes[i] & 0xFF];
        }
        return new String(letters);
    }

    /** The bytes that a token's letters stand for, or null if one of them is no byte letter. */
    static byte @Nullable [] bytes(String letters) {
        var bytes = new byte[letters.length()];
        for (int i = 0; i < bytes.length; i++) {
            char c = letters.charAt(i);
            if (c >= BYTE.length || BYTE[c] < 0) {
                return null;
            }
            bytes[i] = (byte) BYTE[c];
        }
        return bytes;
    }
}
