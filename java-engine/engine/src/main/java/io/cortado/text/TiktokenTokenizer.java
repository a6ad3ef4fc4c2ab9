package io.cortado.text;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** A tokenizer of a tiktoken file and of what its family's code and the files beside it add. */
final class TiktokenTokenizer {
    private TiktokenTokenizer() {}

    static Tokenizer read(byte[] content, String name, @Nullable TokenizerConfig config) {
        TiktokenFile file = TiktokenFile.parse(content);
        int ranks = file.count();
        String hints =
                config == null
                        ? name
                        : name + " " + config.tokenizerClass() + " " + config.modelType();
        TiktokenFamily family = TiktokenFamily.of(hints, ranks);
        ObjectNode root = pipeline(PipelineNodes.splits(family.pattern()));
        if (family.composes()) {
            root.set("normalizer", PipelineNodes.node("NFC"));
        }
        Normalizer normalizer = NormalizerFile.read(root.path("normalizer"));
        List<AddedToken> added = addedTokens(family, file, normalizer, config);
        PostProcessor around = postProcessor(family, added, config);
        return TokenizerFile.assemble(root, model(file), normalizer, added, around);
    }

    /** Ranks alone, with the words cut by a {@code pre_tokenizer} and nothing added. */
    static Tokenizer read(byte[] content, JsonNode words) {
        return TokenizerFile.assemble(
                pipeline(words),
                model(TiktokenFile.parse(content)),
                Normalizer.NONE,
                List.of(),
                PostProcessor.NONE);
    }

    private static ObjectNode pipeline(JsonNode words) {
        ObjectNode root = JsonNodeFactory.instance.objectNode();
        root.set("pre_tokenizer", words);
        root.set("decoder", PipelineNodes.byteLevel(true, true));
        return root;
    }

    private static ModelFile model(TiktokenFile file) {
        byte[][] tokens = file.tokens();
        int longest = 0;
        var spelled = new @Nullable String[tokens.length];
        var ids = new TokenIds();
        for (int id = 0; id < tokens.length; id++) {
            if (tokens[id] != null) {
                longest = Math.max(longest, tokens[id].length);
                String letters = ByteLetters.spell(tokens[id]);
                spelled[id] = letters;
                ids.put(letters, id);
            }
        }
        var model = new RankModel(new ByteTable(tokens), longest);
        return new ModelFile(model, ids, spelled, tokens.length);
    }

    private static List<AddedToken> addedTokens(
            TiktokenFamily family,
            TiktokenFile file,
            Normalizer normalizer,
            @Nullable TokenizerConfig config) {
        Map<Integer, AddedToken> byId = new LinkedHashMap<>();
        family.controlTokens(file.count())
                .forEach((content, id) -> byId.put(id, AddedToken.plain(id, content, true)));
        if (config != null) {
            config.addedTokens()
                    .forEach((id, token) ->
                            byId.put(id, TokenizerFile.addedToken(token, id, normalizer)));
        }
        var contents = new HashSet<String>();
        for (AddedToken token : byId.values()) {
            boolean isRank = token.id() < file.tokens().length && file.tokens()[token.id()] != null;
            if (isRank || !contents.add(token.content())) {
                throw new TokenizerFormatException(
                        "added token has the id or the text of another token: id="
                                + token.id()
                                + " content="
                                + TokenizerFile.clip(token.content()));
            }
        }
        return new ArrayList<>(byId.values());
    }

    private static PostProcessor postProcessor(
            TiktokenFamily family, List<AddedToken> added, @Nullable TokenizerConfig config) {
        String bos = family.bos();
        String eos = null;
        if (config != null) {
            String named = config.token("bos_token");
            bos = config.flag("add_bos_token", bos != null) ? (named != null ? named : bos) : null;
            eos = config.flag("add_eos_token", false) ? config.token("eos_token") : null;
        }
        return PostProcessor.around(idOf(bos, added), idOf(eos, added));
    }

    /** The id of an added token by its text; null for no text. */
    static @Nullable Integer idOf(@Nullable String content, List<AddedToken> added) {
        if (content == null) {
            return null;
        }
        for (AddedToken token : added) {
            if (token.content().equals(content)) {
                return token.id();
            }
        }
        throw new TokenizerFormatException(
                "the token to put around texts is none of the added tokens: token="
                        + TokenizerFile.clip(content));
    }
}
