package io.cortado.text;

import java.nio.charset.StandardCharsets;
import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Every id with its token, the bytes it stands for and whether it is special. Ids may have holes.
 */
final class Vocabulary {
    private final Map<String, Integer> ids;
    private final @Nullable String[] texts;
    private final byte[][] bytes;
    private final BitSet special = new BitSet();
    private final BitSet skipped = new BitSet();

    Vocabulary(Map<String, Integer> model, List<AddedToken> added) {
        ids = new HashMap<>(model);
        int width = 0;
        for (int id : model.values()) {
            width = Math.max(width, id + 1);
        }
        for (AddedToken token : added) {
            width = Math.max(width, token.id() + 1);
        }
        texts = new String[width];
        bytes = new byte[width][];
        model.forEach(this::define);
        for (AddedToken token : added) {
            ids.put(token.content(), token.id());
            define(token.spelling(), token.id());
            if (token.special()) {
                special.set(token.id());
                // The reference skips by text: a token printed otherwise than declared is not
                // skipped.
                skipped.set(token.id(), token.spelling().equals(token.content()));
            }
        }
        for (int id = 0; id < width; id++) {
            if (texts[id] == null) {
                bytes[id] = new byte[0];
            }
        }
    }

    private void define(String text, int id) {
        texts[id] = text;
        byte[] spelled = ByteLetters.bytes(text);
        bytes[id] = spelled != null ? spelled : text.getBytes(StandardCharsets.UTF_8);
    }

    int size() {
        return texts.length;
    }

    @Nullable Integer id(String token) {
        return ids.get(token);
    }

    @Nullable String text(int id) {
        return texts[check(id)];
    }

    byte[] bytes(int id) {
        return bytes[check(id)];
    }

    boolean isSpecial(int id) {
        return special.get(check(id));
    }

    boolean isSkipped(int id) {
        return skipped.get(check(id));
    }

    private int check(int id) {
        if (id < 0 || id >= texts.length) {
            throw new IllegalArgumentException(
                    "token id out of range: id=" + id + " vocabularySize=" + texts.length);
        }
        return id;
    }
}
