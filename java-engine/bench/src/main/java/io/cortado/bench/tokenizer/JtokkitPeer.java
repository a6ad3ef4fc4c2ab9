package io.cortado.bench.tokenizer;

import com.knuddels.jtokkit.Encodings;
import com.knuddels.jtokkit.api.Encoding;
import com.knuddels.jtokkit.api.GptBytePairEncodingParams;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;

/** jtokkit with a vocabulary of ours, so that both read the same ranks. */
public final class JtokkitPeer implements TokenizerPeer {
    private final Encoding encoding;

    /**
     * Loads the vocabulary.
     *
     * @param tokens the bytes of each id
     * @param pattern the split pattern, which java.util.regex must understand
     */
    public JtokkitPeer(List<byte[]> tokens, String pattern) {
        Map<byte[], Integer> ranks = new HashMap<>();
        for (int id = 0; id < tokens.size(); id++) {
            ranks.put(tokens.get(id), id);
        }
        var registry = Encodings.newLazyEncodingRegistry();
        registry.registerGptBytePairEncoding(
                new GptBytePairEncodingParams(
                        "ours",
                        Pattern.compile(pattern, Pattern.UNICODE_CHARACTER_CLASS),
                        ranks,
                        Map.of()));
        encoding =
                registry.getEncoding("ours")
                        .orElseThrow(() -> new IllegalStateException("jtokkit lost its encoding"));
    }

    @Override
    public String name() {
        return "jtokkit";
    }

    @Override
    public int[] encode(String text) {
        return encoding.encodeOrdinary(text).toArray();
    }

    @Override
    public void close() {
        // It holds Java objects only.
    }
}
