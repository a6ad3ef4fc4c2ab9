package io.cortado.text;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.JsonNodeFactory;

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
        List<AddedToken> added = addedTokens(family, ranks, file.tokens(), config);
        return new Tokenizer(
                family.normalizer(),
                family.preTokenizer(),
                model(file),
                postProcessor(family, added, config),
                new AddedTokens(added),
                new Vocabulary(ids(file), added));
    }

    static Tokenizer read(byte[] content, PreTokenizer words) {
        TiktokenFile file = TiktokenFile.parse(content);
        return new Tokenizer(
                Normalizer.NONE,
                words,
                model(file),
                PostProcessor.NONE,
                new AddedTokens(List.of()),
                new Vocabulary(ids(file), List.of()));
    }

    private static RankModel model(TiktokenFile file) {
        int longest = 0;
        for (byte[] token : file.tokens()) {
            longest = Math.max(longest, token == null ? 0 : token.length);
        }
        return new RankModel(new ByteTable(file.tokens()), longest);
    }

    private static Map<String, Integer> ids(TiktokenFile file) {
        var ids = HashMap.<String, Integer>newHashMap(file.tokens().length);
        for (int id = 0; id < file.tokens().length; id++) {
            if (file.tokens()[id] != null) {
                ids.put(ByteLetters.spell(file.tokens()[id]), id);
            }
        }
        return ids;
    }

    private static List<AddedToken> addedTokens(
            TiktokenFamily family, int ranks, byte[][] tokens, @Nullable TokenizerConfig config) {
        var byId = new LinkedHashMap<Integer, JsonNode>();
        family.controlTokens(ranks)
                .forEach((content, id) ->
                        byId.put(
                                id,
                                JsonNodeFactory.instance
                                        .objectNode()
                                        .put("content", content)
                                        .put("special", true)));
        if (config != null) {
            byId.putAll(config.addedTokens());
        }
        var added = new ArrayList<AddedToken>();
        var contents = new HashSet<String>();
        for (Map.Entry<Integer, JsonNode> entry : byId.entrySet()) {
            int id = entry.getKey();
            AddedToken token = TokenizerFile.addedToken(entry.getValue(), id, family.normalizer());
            if ((id < tokens.length && tokens[id] != null) || !contents.add(token.content())) {
                throw new TokenizerFormatException(
                        "added token has the id or the text of another token: id="
                                + id
                                + " content="
                                + TokenizerFile.clip(token.content()));
            }
            added.add(token);
        }
        return added;
    }

    private static PostProcessor postProcessor(
            TiktokenFamily family, List<AddedToken> added, @Nullable TokenizerConfig config) {
        String bos = family.bos();
        String eos = null;
        if (config != null) {
            bos =
                    config.flag("add_bos_token", bos != null)
                            ? or(config.token("bos_token"), bos)
                            : null;
            eos = config.flag("add_eos_token", false) ? config.token("eos_token") : null;
        }
        return PostProcessor.around(idOf(bos, added), idOf(eos, added));
    }

    private static @Nullable String or(@Nullable String first, @Nullable String second) {
        return first != null ? first : second;
    }

    private static @Nullable Integer idOf(@Nullable String content, List<AddedToken> added) {
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
