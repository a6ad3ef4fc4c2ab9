package io.cortado.text;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/**
 * Reads the {@code model} of a {@code tokenizer.json}.
 *
 * @param ids the tokens by their spelling
 * @param tokens the tokens by their ids, null for a hole
 * @param size how many tokens there are, which is where the ids of further ones begin
 */
record ModelFile(WordModel model, TokenIds ids, @Nullable String[] tokens, int size) {
    static final int MAX_TOKENS = 1_000_000;
    static final int MAX_MERGES = 2_000_000;

    /** How long a token may be where the model looks for all that begin at a place. */
    private static final int MAX_PIECE_CHARS = 1024;

    static ModelFile read(TokenizerJson file) {
        JsonNode model = file.root().path("model");
        return switch (type(model)) {
            case "BPE" -> bpe(file, model);
            case "Unigram" -> unigram(model);
            case "WordPiece" -> wordPiece(file, model);
            case "WordLevel" -> wordLevel(file, model);
            case String other -> throw Pipeline.unsupported("model", other);
        };
    }

    /** Old files do not name the type, but its fields tell it. */
    private static String type(JsonNode model) {
        if (model.path("type").isString()) {
            return model.path("type").stringValue();
        }
        if (model.path("vocab").isArray()) {
            return "Unigram";
        }
        return model.has("merges")
                ? "BPE"
                : model.has("max_input_chars_per_word") ? "WordPiece" : "WordLevel";
    }

    private static ModelFile bpe(TokenizerJson file, JsonNode model) {
        Pipeline.requireFields(
                "BPE",
                model,
                "dropout",
                "unk_token",
                "continuing_subword_prefix",
                "end_of_word_suffix",
                "fuse_unk",
                "byte_fallback",
                "ignore_merges",
                "vocab",
                "merges");
        JsonNode dropout = model.path("dropout");
        if (!TokenizerFile.isAbsent(dropout) && dropout.asDouble(1) != 0) {
            throw new UnsupportedTokenizerException(
                    "tokenizer option not supported: model.dropout="
                            + TokenizerFile.brief(dropout));
        }
        TokenIds vocab = vocabulary(file);
        String unknown = TokenizerFile.text(model, "unk_token", "");
        String prefix = TokenizerFile.text(model, "continuing_subword_prefix", "");
        var options =
                new BpeOptions(
                        Pipeline.flag(model, "ignore_merges", false),
                        unknown.isEmpty()
                                ? BpeOptions.DROP_UNKNOWN
                                : vocab.find(unknown, BpeOptions.REFUSE_UNKNOWN),
                        Pipeline.flag(model, "fuse_unk", false),
                        Pipeline.flag(model, "byte_fallback", false),
                        prefix,
                        TokenizerFile.text(model, "end_of_word_suffix", ""));
        if (file.merges() == null) {
            throw new TokenizerFormatException(
                    "model.merges must be an array: merges="
                            + TokenizerFile.brief(model.path("merges")));
        }
        return of(new BpeModel(vocab, file.merges().table(vocab, prefix), options), vocab);
    }

    private static ModelFile of(WordModel model, TokenIds vocab) {
        return new ModelFile(model, vocab, vocab.byId(), vocab.size());
    }

    private static TokenIds vocabulary(TokenizerJson file) {
        if (file.vocabulary() == null) {
            throw new TokenizerFormatException(
                    "model.vocab must be an object: vocab="
                            + TokenizerFile.brief(file.root().path("model").path("vocab")));
        }
        return file.vocabulary();
    }

    static void requireCount(String what, int count, int limit) {
        if (count > limit) {
            throw new TokenizerFormatException(
                    what + " is too long: entries=" + count + " limit=" + limit);
        }
    }

    private static ModelFile unigram(JsonNode model) {
        Pipeline.requireFields("Unigram", model, "unk_id", "vocab", "byte_fallback");
        JsonNode vocab = model.path("vocab");
        if (!vocab.isArray()) {
            throw new TokenizerFormatException(
                    "model.vocab must be an array: vocab=" + TokenizerFile.brief(vocab));
        }
        requireCount("model.vocab", vocab.size(), MAX_TOKENS);
        List<String> pieces = new ArrayList<>(vocab.size());
        var scores = new double[vocab.size()];
        for (JsonNode entry : vocab) {
            int id = pieces.size();
            if (!entry.path(0).isString() || !entry.path(1).isNumber() || entry.size() != 2) {
                throw new TokenizerFormatException(
                        "piece is not a text and a score: model.vocab["
                                + id
                                + "]="
                                + TokenizerFile.clip(entry.toString()));
            }
            scores[id] = entry.path(1).doubleValue();
            pieces.add(requireShort(entry.path(0).stringValue()));
        }
        int unknown = Pipeline.count(model, "unk_id", -1, Math.max(0, vocab.size() - 1));
        if (unknown >= vocab.size()) {
            throw new TokenizerFormatException(
                    "model.unk_id is no piece: unk_id=" + unknown + " pieces=" + vocab.size());
        }
        var ids = new TokenIds();
        for (int id = 0; id < pieces.size(); id++) {
            ids.put(pieces.get(id), id);
        }
        return new ModelFile(
                new UnigramModel(
                        pieces, scores, unknown, Pipeline.flag(model, "byte_fallback", false)),
                ids,
                pieces.toArray(String[]::new),
                pieces.size());
    }

    private static String requireShort(String piece) {
        if (piece.length() > MAX_PIECE_CHARS) {
            throw new TokenizerFormatException(
                    "token of model.vocab is too long: chars="
                            + piece.length()
                            + " limit="
                            + MAX_PIECE_CHARS
                            + " token="
                            + TokenizerFile.clip(piece));
        }
        return piece;
    }

    private static ModelFile wordPiece(TokenizerJson file, JsonNode model) {
        Pipeline.requireFields(
                "WordPiece",
                model,
                "unk_token",
                "continuing_subword_prefix",
                "max_input_chars_per_word",
                "vocab");
        TokenIds vocab = vocabulary(file);
        vocab.forEach((token, id) -> requireShort(token));
        return of(
                new WordPieceModel(
                        vocab,
                        vocab.find(TokenizerFile.text(model, "unk_token", "[UNK]"), -1),
                        TokenizerFile.text(model, "continuing_subword_prefix", "##"),
                        Pipeline.count(model, "max_input_chars_per_word", 100, Integer.MAX_VALUE)),
                vocab);
    }

    private static ModelFile wordLevel(TokenizerJson file, JsonNode model) {
        Pipeline.requireFields("WordLevel", model, "unk_token", "vocab");
        TokenIds vocab = vocabulary(file);
        String unknown = TokenizerFile.text(model, "unk_token", "<unk>");
        return of(new WordLevelModel(vocab, vocab.find(unknown, -1)), vocab);
    }
}
