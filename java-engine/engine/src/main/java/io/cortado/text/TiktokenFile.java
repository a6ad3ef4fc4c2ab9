package io.cortado.text;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Base64;

/**
 * A vocabulary in tiktoken's format: a line for each token, its bytes in base64 and its rank, which
 * is its id. Two tokens are joined where their bytes together are a token; its rank is the merge's.
 *
 * @param tokens the bytes of each id, null for a hole
 */
record TiktokenFile(byte[][] tokens) {
    private static final int MAX_TOKEN_BYTES = 1024;

    static TiktokenFile parse(byte[] content) {
        if (content.length > TokenizerFile.MAX_FILE_BYTES) {
            throw new TokenizerFormatException(
                    "tiktoken file too large: bytes="
                            + content.length
                            + " limit="
                            + TokenizerFile.MAX_FILE_BYTES);
        }
        return new Reader(content).read();
    }

    /** Whether the file begins with a line of this format. */
    static boolean matches(byte[] content) {
        int end = 0;
        while (end < Math.min(content.length, 2 * MAX_TOKEN_BYTES) && content[end] != '\n') {
            end++;
        }
        String line = new String(content, 0, end, StandardCharsets.ISO_8859_1);
        return line.matches("[A-Za-z0-9+/]+={0,2} [0-9]+\\r?");
    }

    /** How many tokens there are, holes not counted. */
    int count() {
        return (int) Arrays.stream(tokens).filter(t -> t != null).count();
    }

    private static final class Reader {
        private final byte[] content;
        private byte[][] tokens = new byte[1024][];
        private int at;
        private int line;
        private int width;

        Reader(byte[] content) {
            this.content = content;
        }

        TiktokenFile read() {
            while (at < content.length) {
                line++;
                if (content[at] == '\n') {
                    at++;
                } else {
                    readLine();
                }
            }
            return new TiktokenFile(Arrays.copyOf(tokens, width));
        }

        private void readLine() {
            int space = at;
            while (space < content.length && content[space] != ' ' && content[space] != '\n') {
                space++;
            }
            if (space == content.length || content[space] == '\n' || space == at) {
                throw malformed("a line must be a token in base64, a space and its rank");
            }
            // Four characters stand for three bytes.
            if ((space - at) / 4 * 3 > MAX_TOKEN_BYTES) {
                throw malformed("token longer than " + MAX_TOKEN_BYTES + " bytes");
            }
            byte[] token;
            try {
                token = Base64.getDecoder().decode(Arrays.copyOfRange(content, at, space));
            } catch (IllegalArgumentException e) {
                throw malformed("token is not base64: " + e.getMessage());
            }
            at = space + 1;
            put(rank(), token);
        }

        private int rank() {
            int start = at;
            long rank = 0;
            while (at < content.length && content[at] >= '0' && content[at] <= '9') {
                rank = Math.min(rank * 10 + content[at++] - '0', TokenizerFile.MAX_ID);
            }
            boolean hasDigits = at > start;
            if (at < content.length && content[at] == '\r') {
                at++;
            }
            if (!hasDigits || (at < content.length && content[at] != '\n')) {
                throw malformed("rank must be a whole number");
            }
            at++;
            if (rank >= TokenizerFile.MAX_ID) {
                throw malformed("rank must be in [0, " + TokenizerFile.MAX_ID + ")");
            }
            return (int) rank;
        }

        private void put(int rank, byte[] token) {
            // Holes are few in real files; a lone huge rank must not cost its array.
            if (rank > 2 * line + 100_000) {
                throw malformed("rank leaves too many holes: rank=" + rank);
            }
            if (rank >= tokens.length) {
                tokens = Arrays.copyOf(tokens, Math.max(rank + 1, tokens.length * 2));
            }
            if (tokens[rank] != null) {
                throw malformed("two tokens have one rank: rank=" + rank);
            }
            tokens[rank] = token;
            width = Math.max(width, rank + 1);
        }

        private TokenizerFormatException malformed(String what) {
            return new TokenizerFormatException("tiktoken file, line " + line + ": " + what);
        }
    }
}
