package io.cortado.text;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Reads a tokenizer from the metadata of a GGUF file. */
final class GgufTokenizer {
    private static final int UNKNOWN = 2;
    private static final int CONTROL = 3;
    private static final int USER_DEFINED = 4;

    private final GgufMetadata metadata;
    private final String[] tokens;
    private final float @Nullable [] types;

    private GgufTokenizer(GgufMetadata metadata) {
        this.metadata = metadata;
        String[] found = metadata.strings("tokens", TokenizerFile.MAX_TOKENS);
        if (found == null || found.length == 0) {
            throw new TokenizerFormatException(
                    "GGUF file has no vocabulary: tokenizer.ggml.tokens="
                            + (found == null ? "missing" : "empty"));
        }
        tokens = found;
        types = metadata.numbers("token_type", tokens.length);
    }

    static Tokenizer read(Map<String, ?> keys) {
        var metadata = new GgufMetadata(keys);
        String model = metadata.string("model", "(missing)");
        return switch (model) {
            case "gpt2" -> new GgufTokenizer(metadata).byteLevel();
            case String other -> throw Pipeline.unsupported("tokenizer.ggml.model", other);
        };
    }

    private Tokenizer byteLevel() {
        GgufPreTokenizers pre = GgufPreTokenizers.named(metadata.string("pre", "default"));
        Map<String, Integer> ids = ids();
        List<AddedToken> added = addedTokens();
        PairTable merges = merges(ids);
        var words = new HashMap<>(ids);
        added.forEach(token -> words.remove(token.content()));
        return new Tokenizer(
                pre.composes() ? new Unicode9Nfc() : Normalizer.NONE,
                pre.words(),
                new BpeModel(words, merges, pre.ignoreMerges(), null, false),
                postProcessor(pre.addsBos()),
                new AddedTokens(added),
                new Vocabulary(ids, added));
    }

    private Map<String, Integer> ids() {
        var ids = HashMap.<String, Integer>newHashMap(tokens.length);
        for (int id = 0; id < tokens.length; id++) {
            Integer other = ids.put(tokens[id], id);
            if (other != null) {
                throw new TokenizerFormatException(
                        "two tokens of tokenizer.ggml.tokens are equal: ids="
                                + other
                                + ","
                                + id
                                + " token="
                                + TokenizerFile.clip(tokens[id]));
            }
        }
        return ids;
    }

    private PairTable merges(Map<String, Integer> ids) {
        String[] merges = metadata.strings("merges", TokenizerFile.MAX_MERGES);
        if (merges == null) {
            throw new TokenizerFormatException(
                    "GGUF file has no merges: tokenizer.ggml.merges=missing model=gpt2");
        }
        var table = new PairTable(merges.length);
        for (int rank = 0; rank < merges.length; rank++) {
            String merge = merges[rank];
            int space = merge.indexOf(' ', 1);
            if (space < 0 || space + 1 == merge.length()) {
                throw new TokenizerFormatException(
                        "merge is not a pair of tokens: tokenizer.ggml.merges["
                                + rank
                                + "]="
                                + TokenizerFile.clip(merge));
            }
            String left = merge.substring(0, space);
            String right = merge.substring(space + 1);
            table.put(
                    TokenizerFile.mergeId(ids, left, rank),
                    TokenizerFile.mergeId(ids, right, rank),
                    rank,
                    TokenizerFile.mergeId(ids, left + right, rank));
        }
        return table;
    }

    private List<AddedToken> addedTokens() {
        var added = new ArrayList<AddedToken>();
        for (int id = 0; types != null && id < tokens.length; id++) {
            int type = (int) types[id];
            if (type == CONTROL || type == UNKNOWN || type == USER_DEFINED) {
                String token = tokens[id];
                if (token.isEmpty() || token.length() > TokenizerFile.MAX_ADDED_TOKEN_CHARS) {
                    throw new TokenizerFormatException(
                            "control token must have 1 to "
                                    + TokenizerFile.MAX_ADDED_TOKEN_CHARS
                                    + " characters: chars="
                                    + token.length()
                                    + " id="
                                    + id);
                }
                boolean special = type != USER_DEFINED;
                added.add(new AddedToken(id, token, token, false, false, false, false, special));
            }
        }
        return added;
    }

    /** A bos before and an eos after each text, as the flags say. */
    private PostProcessor postProcessor(boolean addsBos) {
        var single = new ArrayList<PostProcessor.Part>();
        var pair = new ArrayList<PostProcessor.Part>();
        special("add_bos_token", addsBos, "bos_token_id", single, pair);
        single.add(new PostProcessor.Text(0, 0));
        pair.add(new PostProcessor.Text(0, 0));
        special("add_eos_token", false, "eos_token_id", single, pair);
        pair.add(new PostProcessor.Text(1, 1));
        special("add_eos_token", false, "eos_token_id", pair);
        return new PostProcessor(List.copyOf(single), List.copyOf(pair));
    }

    @SafeVarargs
    private void special(
            String flag, boolean fallback, String key, List<PostProcessor.Part>... rows) {
        if (!metadata.flag(flag, fallback)) {
            return;
        }
        Integer id = metadata.id(key, tokens.length);
        if (id == null) {
            throw new TokenizerFormatException(
                    "tokenizer.ggml."
                            + flag
                            + " is set and there is no such token: tokenizer.ggml."
                            + key
                            + "=missing");
        }
        for (List<PostProcessor.Part> row : rows) {
            row.add(new PostProcessor.Ids(new int[] {id}, 0));
        }
    }
}
