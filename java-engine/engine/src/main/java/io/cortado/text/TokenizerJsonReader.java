package io.cortado.text;

import java.util.BitSet;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** Reads a {@code tokenizer.json} by its tokens, its two long lists straight into flat arrays. */
final class TokenizerJsonReader {
    private final JsonParser parser;
    private final String what;
    private @Nullable TokenIds vocabulary;
    private @Nullable MergeList merges;

    private TokenizerJsonReader(JsonParser parser, String what) {
        this.parser = parser;
        this.what = what;
    }

    static TokenizerJson read(byte[] json) {
        String what = "tokenizer.json";
        return JsonFiles.read(
                json,
                what,
                TokenizerFile.MAX_FILE_BYTES,
                parser -> new TokenizerJsonReader(parser, what).file());
    }

    /** The tokens of a {@code vocab.json}. */
    static TokenIds vocabulary(byte[] json) {
        String what = "vocab.json";
        return JsonFiles.read(
                json,
                what,
                TokenizerFile.MAX_FILE_BYTES,
                parser -> {
                    if (parser.nextToken() != JsonToken.START_OBJECT) {
                        throw new TokenizerFormatException(
                                "vocab.json must be an object: found=" + parser.currentToken());
                    }
                    return new TokenizerJsonReader(parser, what).tokens();
                });
    }

    private TokenizerJson file() {
        if (parser.nextToken() != JsonToken.START_OBJECT) {
            return new TokenizerJson(JsonFiles.tree(parser), null, null);
        }
        ObjectNode root = JsonNodeFactory.instance.objectNode();
        for (String name = parser.nextName(); name != null; name = parser.nextName()) {
            JsonToken value = parser.nextToken();
            requireNew(root, name);
            boolean isModel = name.equals("model") && value == JsonToken.START_OBJECT;
            root.set(name, isModel ? model() : JsonFiles.tree(parser));
        }
        return new TokenizerJson(root, vocabulary, merges);
    }

    private ObjectNode model() {
        ObjectNode model = JsonNodeFactory.instance.objectNode();
        for (String name = parser.nextName(); name != null; name = parser.nextName()) {
            JsonToken value = parser.nextToken();
            requireNew(model, name);
            if (name.equals("vocab") && value == JsonToken.START_OBJECT) {
                model.putObject(name);
                vocabulary = tokens();
            } else if (name.equals("merges") && value == JsonToken.START_ARRAY) {
                model.putArray(name);
                merges = merges();
            } else {
                model.set(name, JsonFiles.tree(parser));
            }
        }
        return model;
    }

    private void requireNew(ObjectNode node, String name) {
        if (node.has(name)) {
            throw JsonFiles.unacceptable(what, "two fields are " + TokenizerFile.clip(name), null);
        }
    }

    private TokenIds tokens() {
        var tokens = new TokenIds();
        var seen = new BitSet();
        int count = 0;
        for (String name = parser.nextName(); name != null; name = parser.nextName()) {
            JsonToken value = parser.nextToken();
            if (++count > ModelFile.MAX_TOKENS) {
                parser.skipChildren();
                continue;
            }
            add(name, id(name, value), tokens, seen);
        }
        ModelFile.requireCount("model.vocab", count, ModelFile.MAX_TOKENS);
        return tokens;
    }

    private void add(String token, int id, TokenIds tokens, BitSet seen) {
        if (tokens.put(token, id) != TokenIds.ABSENT) {
            throw JsonFiles.unacceptable(what, "two tokens are " + TokenizerFile.clip(token), null);
        }
        if (seen.get(id)) {
            throw new TokenizerFormatException(
                    "two tokens of model.vocab have one id: id="
                            + id
                            + " token="
                            + TokenizerFile.clip(token));
        }
        seen.set(id);
    }

    private int id(String token, JsonToken value) {
        if (value == JsonToken.VALUE_NUMBER_INT
                && parser.getNumberType() == JsonParser.NumberType.INT) {
            int id = parser.getIntValue();
            if (id >= 0 && id < TokenizerFile.MAX_ID) {
                return id;
            }
        }
        return TokenizerFile.id(
                JsonFiles.tree(parser), "model.vocab[" + TokenizerFile.clip(token) + "]");
    }

    /** What is wrong with a merge is said once it is known that there are not too many. */
    private MergeList merges() {
        var list = new MergeList();
        TokenizerFormatException refusal = null;
        int count = 0;
        while (parser.nextToken() != JsonToken.END_ARRAY) {
            if (++count > ModelFile.MAX_MERGES || refusal != null) {
                parser.skipChildren();
            } else {
                refusal = merge(list);
            }
        }
        ModelFile.requireCount("model.merges", count, ModelFile.MAX_MERGES);
        if (refusal != null) {
            throw refusal;
        }
        return list;
    }

    /** Adds the merge at the parser's token and answers what is wrong with it, if anything is. */
    private @Nullable TokenizerFormatException merge(MergeList list) {
        int rank = list.size();
        if (parser.currentToken() == JsonToken.VALUE_STRING) {
            boolean isMerge =
                    list.addLine(
                            parser.getStringCharacters(),
                            parser.getStringOffset(),
                            parser.getStringLength());
            return isMerge ? null : noPair(rank, TokenizerFile.clip(parser.getString()));
        }
        if (parser.currentToken() != JsonToken.START_ARRAY) {
            String found = String.valueOf(parser.currentToken());
            parser.skipChildren();
            return noPair(rank, found);
        }
        int parts = 0;
        boolean isText = true;
        while (parser.nextToken() != JsonToken.END_ARRAY) {
            isText &= ++parts <= 2 && parser.currentToken() == JsonToken.VALUE_STRING;
            if (isText) {
                list.addPart(
                        parser.getStringCharacters(),
                        parser.getStringOffset(),
                        parser.getStringLength());
            }
            parser.skipChildren();
        }
        return isText && parts == 2 ? null : noPair(rank, "ARRAY");
    }

    private static TokenizerFormatException noPair(int rank, String found) {
        return new TokenizerFormatException(
                "merge is not a pair of tokens: model.merges[" + rank + "]=" + found);
    }
}
