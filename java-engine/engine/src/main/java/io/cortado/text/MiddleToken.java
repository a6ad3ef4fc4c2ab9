package io.cortado.text;

import java.nio.charset.StandardCharsets;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/**
 * A token as decoders change it in the middle of a text.
 *
 * @param bytes what the token stands for, once a step has turned it into bytes
 * @param fused whether the token is part of a longer text by now
 */
record MiddleToken(String text, byte @Nullable [] bytes, boolean fused) {
    static MiddleToken of(String text) {
        return new MiddleToken(text, null, false);
    }

    /** With another text, as long as it is text. */
    MiddleToken map(UnaryOperator<String> change) {
        return bytes == null ? new MiddleToken(change.apply(text), null, fused) : this;
    }

    MiddleToken withBytes(byte[] newBytes) {
        return new MiddleToken(text, newBytes, fused);
    }

    MiddleToken fuse() {
        return new MiddleToken(text, bytes, true);
    }

    byte[] toBytes() {
        return bytes == null ? text.getBytes(StandardCharsets.UTF_8) : bytes;
    }
}
