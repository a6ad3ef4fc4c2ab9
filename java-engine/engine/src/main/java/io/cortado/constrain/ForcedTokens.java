package io.cortado.constrain;

import java.util.Arrays;

/** Cuts the tokens of forced bytes where the boundary to what follows is not known yet. */
final class ForcedTokens {
    /** A longer look back found no further difference in llguidance's measurements. */
    private static final int MAX_CUT = 4;

    private ForcedTokens() {}

    /**
     * The tokens of {@code bytes} without those last ones whose bytes begin a longer token: what
     * follows may merge with them.
     */
    static int[] whole(TokenTable vocabulary, byte[] bytes, int[] ids) {
        int keep = ids.length;
        int start = bytes.length;
        for (int cut = 1; cut <= Math.min(MAX_CUT, ids.length); cut++) {
            start -= vocabulary.bytes(ids[ids.length - cut]).length;
            int node = vocabulary.all().find(bytes, start, bytes.length);
            if (node != TokenTrie.NONE && vocabulary.all().hasChildren(node)) {
                keep = ids.length - cut;
            }
        }
        return Arrays.copyOf(ids, keep);
    }
}
