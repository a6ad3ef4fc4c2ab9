package io.cortado.text;

import java.util.Arrays;
import java.util.BitSet;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Every id with its token, the bytes it stands for and whether it is special. Ids may have holes.
 */
final class Vocabulary {
    private static final byte[] NO_BYTES = new byte[0];

    private final TokenIds ids;
    private final Map<String, Integer> addedIds = new HashMap<>();
    private final @Nullable String[] texts;
    private final byte[][] bytes;
    private final BitSet special = new BitSet();
    private final BitSet skipped = new BitSet();

    /**
     * @param ids the model's tokens by their spelling
     * @param tokens the same by their ids, null for a hole
     */
    Vocabulary(TokenIds ids, @Nullable String[] tokens, List<AddedToken> added, Decoder decoder) {
        this.ids = ids;
        int width = tokens.length;
        for (AddedToken token : added) {
            width = Math.max(width, token.id() + 1);
        }
        texts = Arrays.copyOf(tokens, width);
        bytes = new byte[width][];
        Set<String> specialContents = new HashSet<>();
        for (AddedToken token : added) {
            addedIds.put(token.content(), token.id());
            texts[token.id()] = token.spelling();
            if (token.special()) {
                special.set(token.id());
                specialContents.add(token.content());
            }
        }
        for (int id = 0; id < width; id++) {
            String text = texts[id];
            bytes[id] = text == null ? NO_BYTES : decoder.bytes(text);
            // The reference skips by text: a token printed otherwise than declared is not skipped.
            skipped.set(id, text != null && specialContents.contains(text));
        }
    }

    int size() {
        return texts.length;
    }

    @Nullable Integer id(String token) {
        Integer added = addedIds.get(token);
        int id = added != null ? added : ids.find(token);
        return id == TokenIds.ABSENT ? null : id;
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

    /** The ids of the special tokens. */
    BitSet special() {
        return special;
    }

    private int check(int id) {
        if (id < 0 || id >= texts.length) {
            throw new IllegalArgumentException(
                    "token id out of range: id=" + id + " vocabularySize=" + texts.length);
        }
        return id;
    }
}
