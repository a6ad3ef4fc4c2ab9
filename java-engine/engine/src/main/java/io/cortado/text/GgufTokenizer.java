package io.cortado.text;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

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
        String[] found = metadata.strings("tokens", ModelFile.MAX_TOKENS);
        if (found == null || found.length == 0) {
            throw new TokenizerFormatException(
                    "GGUF file has no vocabulary: tokenizer.ggml.tokens="
                            + (found == null ? "missing" : "empty"));
        }
        tokens = found.clone();
        for (int id = 0; id < tokens.length; id++) {
            // Some models have unused tokens without a text; llama.cpp names them so.
            tokens[id] = tokens[id].isEmpty() ? "[EMPTY_" + id + "]" : tokens[id];
        }
        types = metadata.numbers("token_type", tokens.length);
    }

    static Tokenizer read(Map<String, ?> keys) {
        var metadata = new GgufMetadata(keys);
        String model = metadata.string("model", "(missing)");
        return switch (model) {
            case "gpt2" -> new GgufTokenizer(metadata).byteLevel();
            case "llama" -> new GgufTokenizer(metadata).sentencePiece(SentencePieceFile.Model.BPE);
            case "t5" -> new GgufTokenizer(metadata).sentencePiece(SentencePieceFile.Model.UNIGRAM);
            case "bert" -> new GgufTokenizer(metadata).wordPiece();
            case String other -> throw Pipeline.unsupported("tokenizer.ggml.model", other);
        };
    }

    private Tokenizer byteLevel() {
        GgufPreTokenizers pre = GgufPreTokenizers.named(metadata.string("pre", "default"));
        TokenIds ids = ids();
        MergeTable merges = merges(ids);
        List<AddedToken> added = addedTokens();
        // What words may become by being looked up whole: no control token.
        var control = new HashSet<String>();
        added.forEach(token -> control.add(token.content()));
        var words = new TokenIds();
        ids.forEach((token, id) -> {
            if (!control.contains(token)) {
                words.put(token, id);
            }
        });
        ObjectNode root = JsonNodeFactory.instance.objectNode();
        root.set("pre_tokenizer", pre.words());
        root.set("decoder", PipelineNodes.byteLevel(true, true));
        if (pre.composes()) {
            root.set("normalizer", PipelineNodes.node("NFC"));
        }
        return TokenizerFile.assemble(
                root,
                new ModelFile(
                        new BpeModel(words, merges, BpeOptions.byteLevel(pre.ignoreMerges())),
                        ids,
                        tokens,
                        tokens.length),
                NormalizerFile.read(root.path("normalizer")),
                added,
                around(pre.addsBos(), false));
    }

    private Tokenizer sentencePiece(SentencePieceFile.Model model) {
        float[] scores = metadata.numbers("scores", tokens.length);
        if (scores == null) {
            throw new TokenizerFormatException(
                    "GGUF file has no scores: tokenizer.ggml.scores=missing model=llama");
        }
        List<SentencePieceFile.Piece> pieces = new ArrayList<>(tokens.length);
        for (int id = 0; id < tokens.length; id++) {
            pieces.add(new SentencePieceFile.Piece(tokens[id], scores[id], kind(id)));
        }
        boolean isBytePairs = model == SentencePieceFile.Model.BPE;
        Integer unknown = metadata.id("unknown_token_id", tokens.length);
        byte[] charsMap = metadata.bytes("precompiled_charsmap");
        var file =
                new SentencePieceFile(
                        pieces,
                        model,
                        isBytePairs,
                        false,
                        unknown != null ? unknown : isBytePairs ? 0 : 2,
                        -1,
                        -1,
                        charsMap == null ? new byte[0] : charsMap,
                        metadata.flag("add_space_prefix", true),
                        metadata.flag("remove_extra_whitespaces", false),
                        true);
        return SentencePieceTokenizer.read(file, List.of(), around(isBytePairs, !isBytePairs));
    }

    private SentencePieceFile.Kind kind(int id) {
        int type = types == null ? 1 : (int) types[id];
        // 0 is llama.cpp's "undefined", as which it takes all that it does not know.
        return type < 1 || type > SentencePieceFile.Kind.values().length
                ? SentencePieceFile.Kind.NORMAL
                : SentencePieceFile.Kind.values()[type - 1];
    }

    /**
     * WordPiece. Converters write {@code ▁word} for a word's first piece and {@code ing} for {@code
     * ##ing}.
     */
    private Tokenizer wordPiece() {
        List<AddedToken> added = addedTokens();
        var special = new HashSet<String>();
        added.forEach(token -> special.add(token.content()));
        var spelled = new String[tokens.length];
        var ids = new TokenIds();
        for (int id = 0; id < tokens.length; id++) {
            spelled[id] =
                    special.contains(tokens[id])
                            ? tokens[id]
                            : tokens[id].startsWith("\u2581")
                                    ? tokens[id].substring(1)
                                    : "##" + tokens[id];
            ids.put(spelled[id], id);
        }
        Integer unknown = metadata.id("unknown_token_id", tokens.length);
        ObjectNode root = JsonNodeFactory.instance.objectNode();
        boolean lowercase = metadata.flag("normalizer.lowercase", true);
        root.set(
                "normalizer",
                PipelineNodes.node("BertNormalizer")
                        .put("clean_text", true)
                        .put("handle_chinese_chars", true)
                        .put("strip_accents", metadata.flag("normalizer.strip_accents", lowercase))
                        .put("lowercase", lowercase));
        root.set("pre_tokenizer", PipelineNodes.node("BertPreTokenizer"));
        root.set(
                "decoder",
                PipelineNodes.node("WordPiece").put("prefix", "##").put("cleanup", true));
        WordModel model =
                new WordPieceModel(ids, unknown == null ? defaultUnknown() : unknown, "##", 100);
        Integer cls = special("add_bos_token", true, "bos_token_id");
        Integer sep = metadata.id("seperator_token_id", tokens.length);
        return TokenizerFile.assemble(
                root,
                new ModelFile(model, ids, spelled, tokens.length),
                NormalizerFile.read(root.path("normalizer")),
                added,
                PostProcessor.around(
                        cls, sep != null ? sep : special("add_eos_token", true, "eos_token_id")));
    }

    /** BERT's place for [UNK], which files may leave out. */
    private int defaultUnknown() {
        return tokens.length > 100 ? 100 : -1;
    }

    private TokenIds ids() {
        var ids = new TokenIds();
        for (int id = 0; id < tokens.length; id++) {
            int other = ids.put(tokens[id], id);
            if (other != TokenIds.ABSENT) {
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

    private MergeTable merges(TokenIds ids) {
        String[] merges = metadata.strings("merges", ModelFile.MAX_MERGES);
        if (merges == null) {
            throw new TokenizerFormatException(
                    "GGUF file has no merges: tokenizer.ggml.merges=missing model=gpt2");
        }
        var list = new MergeList();
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
            char[] text = merge.toCharArray();
            list.addPart(text, 0, space);
            list.addPart(text, space + 1, text.length - space - 1);
        }
        return list.table(ids, "");
    }

    private List<AddedToken> addedTokens() {
        var added = new ArrayList<AddedToken>();
        for (int id = 0; types != null && id < tokens.length; id++) {
            int type = (int) types[id];
            if (type == CONTROL || type == UNKNOWN || type == USER_DEFINED) {
                added.add(AddedToken.plain(id, tokens[id], type != USER_DEFINED));
            }
        }
        return added;
    }

    private PostProcessor around(boolean addsBos, boolean addsEos) {
        return PostProcessor.around(
                special("add_bos_token", addsBos, "bos_token_id"),
                special("add_eos_token", addsEos, "eos_token_id"));
    }

    private @Nullable Integer special(String flag, boolean fallback, String key) {
        if (!metadata.flag(flag, fallback)) {
            return null;
        }
        Integer id = metadata.id(key, tokens.length);
        if (id == null && metadata.has(flag)) {
            throw new TokenizerFormatException(
                    "tokenizer.ggml."
                            + flag
                            + " is set and there is no such token: tokenizer.ggml."
                            + key
                            + "=missing");
        }
        return id;
    }
}
