package io.cortado.text;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/** Reads a {@code tokenizer.json}: the added tokens here, each other part by a class of its own. */
final class TokenizerFile {
    static final int MAX_FILE_BYTES = 256 << 20;

    static final int MAX_ID = 1 << 24;

    private static final int MAX_ADDED_TOKENS = 100_000;
    static final int MAX_ADDED_TOKEN_CHARS = 1024;
    private static final int MAX_ADDED_CHARS = 2 << 20;

    private final JsonNode root;

    private TokenizerFile(JsonNode root) {
        this.root = root;
    }

    static Tokenizer parse(byte[] json) {
        return parse(TokenizerJsonReader.read(json));
    }

    /** Reads what the format says, however it came about. */
    static Tokenizer parse(TokenizerJson file) {
        JsonNode root = file.root();
        if (!root.path("model").isObject()) {
            throw new TokenizerFormatException(
                    "tokenizer.json has no model object: model=" + brief(root.path("model")));
        }
        return new TokenizerFile(root).build(file);
    }

    private Tokenizer build(TokenizerJson file) {
        Pipeline.requireFields(
                "tokenizer.json",
                root,
                "version",
                "truncation",
                "padding",
                "added_tokens",
                "normalizer",
                "pre_tokenizer",
                "post_processor",
                "decoder",
                "model");
        if (!text(root, "version", "1.0").equals("1.0")) {
            throw Pipeline.unsupported("version", text(root, "version", ""));
        }
        ModelFile model = ModelFile.read(file);
        Normalizer normalizer = NormalizerFile.read(root.path("normalizer"));
        return assemble(root, model, normalizer, addedTokens(model, normalizer), null);
    }

    /**
     * A tokenizer of a model that came in another format.
     *
     * @param root the rest as the format has it: pre_tokenizer, decoder, post_processor
     * @param around the post-processor, or null for the root's
     */
    static Tokenizer assemble(
            JsonNode root,
            ModelFile model,
            Normalizer normalizer,
            List<AddedToken> added,
            @Nullable PostProcessor around) {
        PreTokenizerFile words =
                PreTokenizerFile.read(
                        root.path("pre_tokenizer"), !isAbsent(root.path("normalizer")));
        Decoder decoder = DecoderFile.read(root.path("decoder"));
        var vocabulary = new Vocabulary(model.ids(), model.tokens(), added, decoder);
        return new Tokenizer(
                new TokenizerParts(
                        normalizer,
                        words.needsPlaces() ? Places.UNITS : Places.NONE,
                        words.words(),
                        words.spelledWords(),
                        new WordTokenizer(model.model(), vocabulary.special(), words.modelSpells()),
                        around != null
                                ? around
                                : PostProcessors.read(
                                        root.path("post_processor"), vocabulary.size()),
                        new AddedTokens(added),
                        vocabulary,
                        decoder,
                        RowFile.truncation(root.path("truncation")),
                        RowFile.padding(root.path("padding"))));
    }

    private List<AddedToken> addedTokens(ModelFile model, Normalizer normalizer) {
        JsonNode list = root.path("added_tokens");
        if (!isAbsent(list) && !list.isArray()) {
            throw new TokenizerFormatException(
                    "added_tokens must be an array: added_tokens=" + brief(list));
        }
        if (list.size() > MAX_ADDED_TOKENS) {
            throw new TokenizerFormatException(
                    "too many added tokens: tokens=" + list.size() + " limit=" + MAX_ADDED_TOKENS);
        }
        var added = new ArrayList<AddedToken>();
        var contents = new HashSet<String>();
        int next = model.size();
        int chars = 0;
        for (JsonNode token : list) {
            Pipeline.requireFields(
                    "added token",
                    token,
                    "id",
                    "content",
                    "single_word",
                    "lstrip",
                    "rstrip",
                    "normalized",
                    "special");
            String content = content(token);
            chars += content.length();
            if (chars > MAX_ADDED_CHARS) {
                throw new TokenizerFormatException(
                        "added tokens are too long together: limit=" + MAX_ADDED_CHARS + " chars");
            }
            id(token.path("id"), "added_tokens id of " + clip(content));
            if (!contents.add(content)) {
                throw new TokenizerFormatException(
                        "added token is declared twice: content=" + clip(content));
            }
            // A token the model knows keeps the model's id; any other gets the next one, whatever
            // "id" says.
            int known = model.ids().find(content);
            int id = known != TokenIds.ABSENT ? known : next++;
            if (known == TokenIds.ABSENT
                    && id < model.tokens().length
                    && model.tokens()[id] != null) {
                throw new TokenizerFormatException(
                        "added token has the id of another token: id="
                                + id
                                + " content="
                                + clip(content));
            }
            added.add(addedToken(token, id, normalizer));
        }
        return added;
    }

    private static String content(JsonNode token) {
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
        return content;
    }

    static AddedToken addedToken(JsonNode token, int id, Normalizer normalizer) {
        String content = content(token);
        boolean normalized = Pipeline.flag(token, "normalized", false);
        return new AddedToken(
                id,
                content,
                normalized ? normalizer.normalize(content) : content,
                Pipeline.flag(token, "single_word", false),
                Pipeline.flag(token, "lstrip", false),
                Pipeline.flag(token, "rstrip", false),
                normalized,
                Pipeline.flag(token, "special", false));
    }

    /** Whether it is a whole number that may be an id. */
    static boolean isId(JsonNode node) {
        return node.isIntegralNumber()
                && node.canConvertToInt()
                && node.intValue() >= 0
                && node.intValue() < MAX_ID;
    }

    static int id(JsonNode node, String what) {
        if (!isId(node)) {
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
