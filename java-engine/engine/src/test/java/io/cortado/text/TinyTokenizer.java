package io.cortado.text;

import java.nio.charset.StandardCharsets;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/** A tokenizer of 256 bytes, two merges and three added tokens; id 0 to 255 is the byte itself. */
final class TinyTokenizer {
    private TinyTokenizer() {}

    static Tokenizer open() {
        return Tokenizer.parse(json(ADDED, MERGES).getBytes(StandardCharsets.UTF_8));
    }

    static final String MERGES = "[\"a b\", [\"ab\", \"ab\"]]";
    static final String ADDED =
            "[{\"id\":258,\"content\":\"<end>\",\"special\":true,\"normalized\":false},"
                    + "{\"id\":259,\"content\":\"<think>\",\"special\":false,\"normalized\":false},"
                    + "{\"id\":260,\"content\":\"<x<end>\",\"special\":true,\"normalized\":false}]";

    static String json(String addedTokens, String merges) {
        String bytes =
                IntStream.range(0, 256)
                        .mapToObj(b ->
                                "\""
                                        + letter(b).replace("\\", "\\\\").replace("\"", "\\\"")
                                        + "\":"
                                        + b)
                        .collect(Collectors.joining(","));
        return "{\"added_tokens\":"
                + addedTokens
                + ",\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false},"
                + "\"decoder\":{\"type\":\"ByteLevel\"},\"model\":{\"vocab\":{"
                + bytes
                + ",\"ab\":256,\"abab\":257},\"merges\":"
                + merges
                + "}}";
    }

    private static String letter(int b) {
        for (char c = '!'; c < 0x144; c++) {
            byte[] bytes = ByteLetters.bytes(String.valueOf(c));
            if (bytes != null && (bytes[0] & 0xFF) == b) {
                return String.valueOf(c);
            }
        }
        throw new IllegalStateException("no letter for byte " + b);
    }
}
