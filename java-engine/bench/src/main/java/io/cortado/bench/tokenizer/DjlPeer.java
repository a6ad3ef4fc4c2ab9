package io.cortado.bench.tokenizer;

import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;

/** Hugging Face tokenizers by DJL's native library. */
public final class DjlPeer implements TokenizerPeer {
    private final HuggingFaceTokenizer tokenizer;

    private DjlPeer(HuggingFaceTokenizer tokenizer) {
        this.tokenizer = tokenizer;
    }

    /**
     * Loads a {@code tokenizer.json}.
     *
     * @throws PeerUnavailableException if its native library cannot run here
     */
    public static DjlPeer open(byte[] tokenizerJson) {
        // The library in the jar, for the CPU: with a GPU it would look for another one to
        // download.
        System.setProperty("ai.djl.offline", "true");
        System.setProperty("RUST_FLAVOR", "cpu");
        System.setProperty(
                "DJL_CACHE_DIR",
                Path.of(System.getProperty("java.io.tmpdir"), "cortado-djl").toString());
        System.setProperty("slf4j.internal.verbosity", "ERROR");
        try {
            return new DjlPeer(
                    HuggingFaceTokenizer.newInstance(
                            new ByteArrayInputStream(tokenizerJson),
                            Map.of("addSpecialTokens", "false", "truncation", "false")));
        } catch (IOException | LinkageError | IllegalStateException e) {
            throw new PeerUnavailableException("DJL's native library cannot run here: " + e, e);
        }
    }

    @Override
    public String name() {
        return "djl";
    }

    @Override
    public int[] encode(String text) {
        return encode(text, false);
    }

    /** The ids of a text, with the file's template around them where asked for. */
    public int[] encode(String text, boolean addSpecialTokens) {
        return Arrays.stream(tokenizer.encode(text, addSpecialTokens, false).getIds())
                .mapToInt(Math::toIntExact)
                .toArray();
    }

    /** The text of ids, special tokens and all. */
    public String decode(int[] ids) {
        return tokenizer.decode(Arrays.stream(ids).asLongStream().toArray(), false);
    }

    @Override
    public void close() {
        tokenizer.close();
    }
}
