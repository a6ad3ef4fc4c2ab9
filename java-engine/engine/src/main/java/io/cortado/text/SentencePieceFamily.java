package io.cortado.text;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/**
 * A {@code tokenizer.model} of SentencePiece with the files beside it: what its slow tokenizer's
 * class puts around texts, and the tokens that were added to the pieces.
 */
final class SentencePieceFamily {
    private SentencePieceFamily() {}

    static Tokenizer read(byte[] content, TokenizerConfig config) {
        SentencePieceFile file = SentencePieceFile.parse(content);
        List<AddedToken> more = new ArrayList<>();
        for (Map.Entry<Integer, JsonNode> entry : config.addedTokens().entrySet()) {
            AddedToken token =
                    TokenizerFile.addedToken(entry.getValue(), entry.getKey(), Normalizer.NONE);
            more.add(token);
        }
        boolean isBytePairs = file.model() == SentencePieceFile.Model.BPE;
        boolean addsBos;
        boolean addsEos;
        switch (config.tokenizerClass().replaceFirst("Fast$", "")) {
            case "" -> {
                addsBos = isBytePairs;
                addsEos = !isBytePairs;
            }
            case "LlamaTokenizer",
                    "CodeLlamaTokenizer",
                    "GemmaTokenizer",
                    "InternLMTokenizer",
                    "InternLM2Tokenizer",
                    "YiTokenizer" -> {
                addsBos = true;
                addsEos = false;
            }
            case "T5Tokenizer" -> {
                addsBos = false;
                addsEos = true;
            }
            // Others move the pieces' ids or change the text in code of their own.
            case String other ->
                    throw Pipeline.unsupported("tokenizer.model with tokenizer_class", other);
        }
        return SentencePieceTokenizer.read(
                file,
                more,
                PostProcessor.around(
                        around(
                                config.flag("add_bos_token", addsBos),
                                "bos_token",
                                file.bosId(),
                                file,
                                more,
                                config),
                        around(
                                config.flag("add_eos_token", addsEos),
                                "eos_token",
                                file.eosId(),
                                file,
                                more,
                                config)));
    }

    private static @Nullable Integer around(
            boolean isAdded,
            String role,
            int fallback,
            SentencePieceFile file,
            List<AddedToken> more,
            TokenizerConfig config) {
        if (!isAdded) {
            return null;
        }
        String named = config.token(role);
        if (named == null) {
            return fallback >= 0 && fallback < file.pieces().size() ? fallback : null;
        }
        for (AddedToken token : more) {
            if (token.content().equals(named)) {
                return token.id();
            }
        }
        for (int id = 0; id < file.pieces().size(); id++) {
            if (file.pieces().get(id).text().equals(named)) {
                return id;
            }
        }
        throw new TokenizerFormatException(
                role + " is no token: " + role + "=" + TokenizerFile.clip(named));
    }
}
