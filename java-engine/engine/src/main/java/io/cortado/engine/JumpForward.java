package io.cortado.engine;

import io.cortado.text.AddedTokenMatch;
import io.cortado.text.Tokenizer;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * Tokens of bytes that a constraint leaves no choice about, cut as the tokenizer cuts the whole
 * text: SGLang's jump-forward decoding. A model might have cut them otherwise.
 */
final class JumpForward {
    /** Tokens that are looked back at: what comes may be cut otherwise behind them. */
    static final int CONTEXT = 4;

    private static final int[] NONE = {};

    private final Tokenizer tokenizer;

    JumpForward(Tokenizer tokenizer) {
        this.tokenizer = tokenizer;
    }

    /**
     * The tokens of all of {@code forced}; none where the tokens before would then not be those
     * that they are.
     *
     * @param before the last tokens of the answer
     */
    int[] tokens(byte[] forced, int[] before) {
        byte[] known = bytes(before);
        byte[] all = Arrays.copyOf(known, known.length + forced.length);
        System.arraycopy(forced, 0, all, known.length, forced.length);
        String text;
        try {
            text = StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(all)).toString();
        } catch (CharacterCodingException e) {
            return NONE; // begins or ends within a character
        }
        int[] ids = tokenizer.encode(text, false, AddedTokenMatch.NONE);
        int n = before.length;
        if (ids.length < n || !Arrays.equals(before, 0, n, ids, 0, n)) {
            return NONE;
        }
        int[] rest = Arrays.copyOfRange(ids, n, ids.length);
        return Arrays.equals(bytes(rest), forced) ? rest : NONE;
    }

    private byte[] bytes(int[] ids) {
        var bytes = new ByteArrayOutputStream();
        for (int id : ids) {
            bytes.writeBytes(tokenizer.tokenBytes(id));
        }
        return bytes.toByteArray();
    }
}
