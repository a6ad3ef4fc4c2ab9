package io.cortado.text;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/**
 * Reads a {@code tokenizer.json}: the vocabulary, its merges and the added tokens; {@link Pipeline}
 * reads the rest.
 */
final class TokenizerFile {
    static final int MAX_FILE_BYTES = 256 << 20;

    static final int MAX_TOKENS = 4_000_000;
    private static final int MAX_ID = 1 << 24;
    static final int MAX_MERGES = 8_000_000;
    private static final int MAX_ADDED_TOKENS = 100_000;
    static final int MAX_ADDED_TOKEN_CHARS = 1024;

    private final JsonNode root;
    private final JsonNode model;

    private TokenizerFile(JsonNode root) {
        this.root = root;
        this.model = root.path("model");
    }

    static Tokenizer parse(byte[] json) {
        JsonNode root = JsonFiles.parse(json, "tokenizer.json", MAX_FILE_BYTES);
        if (!root.path("model").isObject()) {
            throw new TokenizerFormatException(
                    "tokenizer.json has no model object: model=" + brief(root.path("model")));
        }
        return new TokenizerFile(root).build();
    }

    private Tokenizer build() {
        requireBpe();
        var pipeline = new Pipeline(root);
        Normalizer normalizer = pipeline.normalizer();
        PreTokenizer preTokenizer = pipeline.preTokenizer();
        pipeline.requireByteLevelDecoder();
        Map<String, Integer> vocab = vocabulary();
        List<AddedToken> added = addedTokens(vocab, normalizer);
        var vocabulary = new Vocabulary(vocab, added);
        return new Tokenizer(
                normalizer,
                preTokenizer,
                bpe(vocab),
                pipeline.postProcessor(vocabulary.size()),
                new AddedTokens(added),
                vocabulary);
    }

    private void requireBpe() {
        JsonNode type = model.path("type");
        String name =
                type.isString()
                        ? type.stringValue()
                        : model.has("merges")
                                ? "BPE"
                                : model.path("vocab").isArray() ? "Unigram" : "unnamed";
        if (!name.equals("BPE")) {
            throw new UnsupportedTokenizerException(
                    "tokenizer model not supported: model.type=" + name + " supported=BPE");
        }
        if (model.path("byte_fallback").asBoolean(false)) {
            throw new UnsupportedTokenizerException(
                    "tokenizer option not supported: model.byte_fallback=true");
        }
        if (!isAbsent(model.path("dropout")) && model.path("dropout").asDouble(1) != 0) {
            throw new UnsupportedTokenizerException(
                    "tokenizer option not supported: model.dropout="
                            + brief(model.path("dropout")));
        }
        for (String affix : List.of("continuing_subword_prefix", "end_of_word_suffix")) {
            if (!text(model, affix, "").isEmpty()) {
                throw new UnsupportedTokenizerException(
                        "tokenizer option not supported: model."
                                + affix
                                + "="
                                + brief(model.path(affix)));
            }
        }
    }

    private Map<String, Integer> vocabulary() {
        JsonNode vocab = model.path("vocab");
        if (!vocab.isObject()) {
            throw new TokenizerFormatException(
                    "model.vocab must be an object: vocab=" + brief(vocab));
        }
        if (vocab.size() > MAX_TOKENS) {
            throw new TokenizerFormatException(
                    "model.vocab too large: tokens=" + vocab.size() + " limit=" + MAX_TOKENS);
        }
        var ids = HashMap.<String, Integer>newHashMap(vocab.size());
        var seen = HashSet.<Integer>newHashSet(vocab.size());
        for (Map.Entry<String, JsonNode> entry : vocab.properties()) {
            int id = id(entry.getValue(), "model.vocab[" + clip(entry.getKey()) + "]");
            if (!seen.add(id)) {
                throw new TokenizerFormatException(
                        "two tokens of model.vocab have one id: id="
                                + id
                                + " token="
                                + clip(entry.getKey()));
            }
            ids.put(entry.getKey(), id);
        }
        return ids;
    }

    private BpeModel bpe(Map<String, Integer> vocab) {
        JsonNode merges = model.path("merges");
        if (!merges.isArray()) {
            throw new TokenizerFormatException(
                    "model.merges must be an array: merges=" + brief(merges));
        }
        if (merges.size() > MAX_MERGES) {
            throw new TokenizerFormatException(
                    "model.merges too long: merges=" + merges.size() + " limit=" + MAX_MERGES);
        }
        var table = new PairTable(merges.size());
        int rank = 0;
        for (JsonNode merge : merges) {
            String[] pair = pair(merge, rank);
            int left = mergeId(vocab, pair[0], rank);
            int right = mergeId(vocab, pair[1], rank);
            table.put(left, right, rank, mergeId(vocab, pair[0] + pair[1], rank));
            rank++;
        }
        String unknown = text(model, "unk_token", "");
        Integer unknownId = unknown.isEmpty() ? null : vocab.get(unknown);
        if (!unknown.isEmpty() && unknownId == null) {
            throw new TokenizerFormatException(
                    "model.unk_token is not in model.vocab: unk_token=" + clip(unknown));
        }
        return new BpeModel(
                vocab,
                table,
                model.path("ignore_merges").asBoolean(false),
                unknownId,
                model.path("fuse_unk").asBoolean(false));
    }

    private static String[] pair(JsonNode merge, int rank) {
        if (merge.isArray()
                && merge.size() == 2
                && merge.path(0).isString()
                && merge.path(1).isString()) {
            return new String[] {merge.path(0).stringValue(), merge.path(1).stringValue()};
        }
        if (merge.isString()) {
            String[] parts = merge.stringValue().split(" ", -1);
            if (parts.length == 2) {
                return parts;
            }
        }
        throw new TokenizerFormatException(
                "merge is not a pair of tokens: model.merges[" + rank + "]=" + brief(merge));
    }

    static int mergeId(Map<String, Integer> vocab, String token, int rank) {
        Integer id = vocab.get(token);
        if (id == null) {
            throw new TokenizerFormatException(
                    "merge names a token that is not in model.vocab: model.merges["
                            + rank
                            + "] token="
                            + clip(token));
        }
        return id;
    }

    private List<AddedToken> addedTokens(Map<String, Integer> vocab, Normalizer normalizer) {
        JsonNode list = root.path("added_tokens");
        if (list.size() > MAX_ADDED_TOKENS) {
            throw new TokenizerFormatException(
                    "too many added tokens: tokens=" + list.size() + " limit=" + MAX_ADDED_TOKENS);
        }
        var added = new ArrayList<AddedToken>();
        var contents = new HashSet<String>();
        var taken = new HashSet<Integer>(vocab.values());
        int next = vocab.size();
        for (JsonNode token : list) {
            String content = text(token, "content", "");
            if (content.isEmpty() || content.length() > MAX_ADDED_TOKEN_CHARS) {
                throw new TokenizerFormatException(
                        "added token must have 1 to "
                                + MAX_ADDED_TOKEN_CHARS
                                + " characters: chars="
                                + content.length()
                                + " content="
                                + clip(content));
            }
            id(token.path("id"), "added_tokens id of " + clip(content));
            if (!contents.add(content)) {
                throw new TokenizerFormatException(
                        "added token is declared twice: content=" + clip(content));
            }
            // A token the model knows keeps the model's id; any other gets the next free one,
            // whatever "id" says.
            Integer known = vocab.get(content);
            int id = known != null ? known : next;
            if (known == null && !taken.add(id)) {
                throw new TokenizerFormatException(
                        "added token has the id of another token: id="
                                + id
                                + " content="
                                + clip(content));
            }
            next = Math.max(next, id + 1);
            added.add(addedToken(token, id, content, normalizer));
        }
        return added;
    }

    private static AddedToken addedToken(
            JsonNode token, int id, String content, Normalizer normalizer) {
        boolean normalized = token.path("normalized").asBoolean(false);
        return new AddedToken(
                id,
                content,
                normalized ? normalizer.normalize(content) : content,
                token.path("single_word").asBoolean(false),
                token.path("lstrip").asBoolean(false),
                token.path("rstrip").asBoolean(false),
                normalized,
                token.path("special").asBoolean(false));
    }

    static int id(JsonNode node, String what) {
        if (!node.isIntegralNumber()
                || !node.canConvertToInt()
                || node.intValue() < 0
                || node.intValue() >= MAX_ID) {
            throw new TokenizerFormatException(
                    "token id must be a whole number in [0, "
                            + MAX_ID
                            + "): "
                            + what
                            + "="
                            + brief(node));
        }
        return node.intValue();
    }

    static boolean isAbsent(JsonNode node) {
        return node.isMissingNode() || node.isNull();
    }

    static String text(JsonNode node, String field, String fallback) {
        JsonNode value = node.path(field);
        if (isAbsent(value)) {
            return fallback;
        }
        if (!value.isString()) {
            throw new TokenizerFormatException(
                    "tokenizer field must be a string: " + field + "=" + brief(value));
        }
        return value.stringValue();
    }

    static String brief(@Nullable JsonNode node) {
        return node == null || node.isMissingNode()
                ? "missing"
                : node.isContainer() ? node.getNodeType().name() : clip(node.toString());
    }

    static String clip(String text) {
        return text.length() <= 80
                ? text
                : text.substring(0, 80) + "… (" + text.length() + " chars)";
    }
}
