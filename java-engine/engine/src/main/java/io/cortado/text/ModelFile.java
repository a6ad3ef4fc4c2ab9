package io.cortado.text;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/**
 * Reads the {@code model} of a {@code tokenizer.json}.
 *
 * @param ids the tokens by their spelling
 * @param tokens the tokens by their ids, null for a hole
 * @param size how many tokens there are, which is where the ids of further ones begin
 */
record ModelFile(WordModel model, Map<String, Integer> ids, @Nullable String[] tokens, int size) {
    static final int MAX_TOKENS = 1_000_000;
    static final int MAX_MERGES = 2_000_000;

    /** How long a token may be where the model looks for all that begin at a place. */
    private static final int MAX_PIECE_CHARS = 1024;

    static ModelFile read(JsonNode model) {
        return switch (type(model)) {
            case "BPE" -> bpe(model);
            case "Unigram" -> unigram(model);
            case "WordPiece" -> wordPiece(model);
            case "WordLevel" -> wordLevel(model);
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

    private static ModelFile bpe(JsonNode model) {
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
        Map<String, Integer> vocab = vocabulary(model);
        String unknown = TokenizerFile.text(model, "unk_token", "");
        String prefix = TokenizerFile.text(model, "continuing_subword_prefix", "");
        var options =
                new BpeOptions(
                        Pipeline.flag(model, "ignore_merges", false),
                        unknown.isEmpty()
                                ? BpeOptions.DROP_UNKNOWN
                                : vocab.getOrDefault(unknown, BpeOptions.REFUSE_UNKNOWN),
                        Pipeline.flag(model, "fuse_unk", false),
                        Pipeline.flag(model, "byte_fallback", false),
                        prefix,
                        TokenizerFile.text(model, "end_of_word_suffix", ""));
        return of(new BpeModel(vocab, merges(model.path("merges"), vocab, prefix), options), vocab);
    }

    static ModelFile of(WordModel model, Map<String, Integer> vocab) {
        int width = vocab.values().stream().mapToInt(id -> id + 1).max().orElse(0);
        var tokens = new @Nullable String[width];
        vocab.forEach((token, id) -> tokens[id] = token);
        return new ModelFile(model, vocab, tokens, vocab.size());
    }

    private static Map<String, Integer> vocabulary(JsonNode model) {
        JsonNode vocab = model.path("vocab");
        if (!vocab.isObject()) {
            throw new TokenizerFormatException(
                    "model.vocab must be an object: vocab=" + TokenizerFile.brief(vocab));
        }
        requireCount("model.vocab", vocab.size(), MAX_TOKENS);
        var ids = HashMap.<String, Integer>newHashMap(vocab.size());
        var seen = new BitSet();
        for (Map.Entry<String, JsonNode> entry : vocab.properties()) {
            JsonNode value = entry.getValue();
            int id =
                    TokenizerFile.isId(value)
                            ? value.intValue()
                            : TokenizerFile.id(
                                    value,
                                    "model.vocab[" + TokenizerFile.clip(entry.getKey()) + "]");
            if (seen.get(id)) {
                throw new TokenizerFormatException(
                        "two tokens of model.vocab have one id: id="
                                + id
                                + " token="
                                + TokenizerFile.clip(entry.getKey()));
            }
            seen.set(id);
            ids.put(entry.getKey(), id);
        }
        return ids;
    }

    private static void requireCount(String what, int count, int limit) {
        if (count > limit) {
            throw new TokenizerFormatException(
                    what + " is too long: entries=" + count + " limit=" + limit);
        }
    }

    private static MergeTable merges(JsonNode merges, Map<String, Integer> vocab, String prefix) {
        if (!merges.isArray()) {
            throw new TokenizerFormatException(
                    "model.merges must be an array: merges=" + TokenizerFile.brief(merges));
        }
        requireCount("model.merges", merges.size(), MAX_MERGES);
        var table = new MergeTable(merges.size());
        var ids = new TokenIds(vocab);
        int rank = 0;
        int made = 0;
        for (JsonNode merge : merges) {
            if (merge.isString()) {
                String text = merge.stringValue();
                if (text.startsWith("#version")) {
                    continue;
                }
                int space = text.indexOf(' ');
                if (space < 0 || text.indexOf(' ', space + 1) >= 0) {
                    throw noPair(merge, rank);
                }
                String right = text.substring(space + 1);
                made = put(table, ids, text.substring(0, space), right, prefix, rank, made);
            } else if (merge.size() == 2 && merge.path(0).isString() && merge.path(1).isString()) {
                String right = merge.path(1).stringValue();
                String left = merge.path(0).stringValue();
                made = put(table, ids, left, right, prefix, rank, made);
            } else {
                throw noPair(merge, rank);
            }
            rank++;
        }
        return table;
    }

    /**
     * Puts the merge of two tokens into a table.
     *
     * @param near the id that the last merge has made
     * @return the id that this one makes
     */
    static int put(
            MergeTable table,
            TokenIds ids,
            String left,
            String right,
            String prefix,
            int rank,
            int near) {
        int skipped = prefix.length();
        if (right.length() < skipped) {
            throw new TokenizerFormatException(
                    "merge lacks the prefix of tokens inside a word: model.merges["
                            + rank
                            + "]="
                            + TokenizerFile.clip(left + " " + right));
        }
        int leftId = ids.find(left);
        int rightId = ids.find(right);
        int merged = ids.findNear(near, left, right, skipped);
        if (leftId < 0 || rightId < 0 || merged < 0) {
            throw unknownToken(
                    leftId < 0 ? left : rightId < 0 ? right : left + right.substring(skipped),
                    rank);
        }
        int first = right.length() == skipped ? MergeTable.NONE : right.codePointAt(skipped);
        int last = left.isEmpty() ? MergeTable.NONE : left.codePointBefore(left.length());
        table.put(last, first, leftId, rightId, rank, merged);
        return merged;
    }

    private static TokenizerFormatException noPair(JsonNode merge, int rank) {
        return new TokenizerFormatException(
                "merge is not a pair of tokens: model.merges["
                        + rank
                        + "]="
                        + TokenizerFile.brief(merge));
    }

    private static TokenizerFormatException unknownToken(String token, int rank) {
        return new TokenizerFormatException(
                "merge names a token that is not in model.vocab: model.merges["
                        + rank
                        + "] token="
                        + TokenizerFile.clip(token));
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
        Map<String, Integer> ids = HashMap.newHashMap(pieces.size());
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

    private static ModelFile wordPiece(JsonNode model) {
        Pipeline.requireFields(
                "WordPiece",
                model,
                "unk_token",
                "continuing_subword_prefix",
                "max_input_chars_per_word",
                "vocab");
        Map<String, Integer> vocab = vocabulary(model);
        vocab.keySet().forEach(ModelFile::requireShort);
        return of(
                new WordPieceModel(
                        vocab,
                        vocab.getOrDefault(TokenizerFile.text(model, "unk_token", "[UNK]"), -1),
                        TokenizerFile.text(model, "continuing_subword_prefix", "##"),
                        Pipeline.count(model, "max_input_chars_per_word", 100, Integer.MAX_VALUE)),
                vocab);
    }

    private static ModelFile wordLevel(JsonNode model) {
        Pipeline.requireFields("WordLevel", model, "unk_token", "vocab");
        Map<String, Integer> vocab = vocabulary(model);
        String unknown = TokenizerFile.text(model, "unk_token", "<unk>");
        return of(new WordLevelModel(vocab, vocab.getOrDefault(unknown, -1)), vocab);
    }
}
