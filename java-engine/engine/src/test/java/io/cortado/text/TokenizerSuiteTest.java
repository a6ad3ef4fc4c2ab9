package io.cortado.text;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

/**
 * Every byte-level family of the shared suite, against what Hugging Face tokenizers makes of it.
 */
class TokenizerSuiteTest {
    @ParameterizedTest
    @ValueSource(
            strings = {
                "gpt2",
                "llama3",
                "qwen3",
                "qwen3-embedding",
                "qwen35",
                "deepseek-v3",
                "gpt-oss",
                "tekken",
                "falcon",
                "starcoder",
                "olmo2",
                "phi4",
                "phi4-mini",
                "glm4",
                "kimi-k2",
                "roberta",
                "flags"
            })
    void agreesWithTheReference(String family) throws IOException {
        Path folder = Suites.shared("suites/tokenizers/" + family);
        Tokenizer tokenizer = Tokenizer.open(folder);
        for (JsonNode row : Suites.rows(folder.resolve("cases.jsonl.gz"))) {
            encodesAndDecodes(tokenizer, row);
        }
        for (JsonNode row : Suites.rows(folder.resolve("stream.jsonl.gz"))) {
            streams(tokenizer, row);
        }
        for (JsonNode row : Suites.rows(folder.resolve("token_bytes.jsonl.gz"))) {
            assertEquals(
                    row.path("hex").asString(""),
                    HexFormat.of().formatHex(tokenizer.tokenBytes(row.path("id").intValue())),
                    row::toString);
        }
    }

    private static void encodesAndDecodes(Tokenizer tokenizer, JsonNode row) {
        AddedTokenMatch match =
                AddedTokenMatch.valueOf(
                        row.path("match")
                                .asString("all")
                                .replace('-', '_')
                                .toUpperCase(java.util.Locale.ROOT));
        String text = Suites.text(row.path("text"));
        boolean special = row.path("add_special_tokens").asBoolean(false);
        int[] ids;
        if (row.has("pair")) {
            EncodedPair pair =
                    tokenizer.encodePair(text, Suites.text(row.path("pair")), special, match);
            assertArrayEquals(Suites.ints(row.path("type_ids")), pair.typeIds(), row::toString);
            ids = pair.ids();
        } else {
            ids = tokenizer.encode(text, special, match);
        }
        assertArrayEquals(Suites.ints(row.path("ids")), ids, row::toString);
        assertEquals(Suites.text(row.path("decoded")), tokenizer.decode(ids, false), row::toString);
        assertEquals(
                Suites.text(row.path("decoded_skip")), tokenizer.decode(ids, true), row::toString);
    }

    private static void streams(Tokenizer tokenizer, JsonNode row) {
        var decoder =
                new StreamingDecoder(tokenizer, row.path("skip_special_tokens").asBoolean(false));
        var text = new StringBuilder();
        for (int id : Suites.ints(row.path("prompt_ids"))) {
            text.append(decoder.feed(id));
        }
        for (int id : Suites.ints(row.path("ids"))) {
            text.append(decoder.feed(id));
        }
        assertEquals(
                Suites.text(row.path("full")),
                text.append(decoder.flush()).toString(),
                row::toString);
    }

    @ParameterizedTest
    @ValueSource(strings = {"llama2", "gemma3", "mistral-v03", "t5", "xlmr", "bert"})
    void refusesOtherFamiliesByName(String family) {
        Path folder = Suites.shared("suites/tokenizers/" + family);
        var error =
                org.junit.jupiter.api.Assertions.assertThrows(
                        UnsupportedTokenizerException.class, () -> Tokenizer.open(folder));
        org.junit.jupiter.api.Assertions.assertTrue(
                String.valueOf(error.getMessage()).contains("not supported: "), error::toString);
    }

    @Test
    void preTokenizersCutAsTheReferenceDoes() throws IOException {
        for (JsonNode row :
                Suites.rows(Suites.shared("suites/tokenizers/pretokenizers.jsonl.gz"))) {
            PreTokenization split;
            try {
                split =
                        PreTokenization.parse(
                                row.path("pre_tokenizer")
                                        .toString()
                                        .getBytes(StandardCharsets.UTF_8));
            } catch (UnsupportedTokenizerException e) {
                continue;
            }
            for (JsonNode one : row.path("cases")) {
                var pieces = new ArrayList<String>();
                one.path(1).forEach(piece -> pieces.add(piece.path(0).asString("")));
                assertEquals(
                        pieces,
                        split.split(Suites.text(one.path(0))),
                        () -> row.path("name") + " " + one);
            }
        }
    }

    @Test
    void demoModelsPromptsHaveTheirGoldenTextAndIds() throws IOException {
        Path folder = Suites.shared("models/demo");
        Tokenizer tokenizer = Tokenizer.open(folder);
        var templates = io.cortado.text.jinja.ChatTemplates.open(folder);
        int seen = 0;
        for (JsonNode golden : Suites.tree(folder.resolve("golden.json")).path("prompts")) {
            seen++;
            var variables = new java.util.LinkedHashMap<String, Object>();
            variables.put("messages", Suites.value(golden.path("messages")));
            if (golden.path("tools").isArray()) {
                variables.put("tools", Suites.value(golden.path("tools")));
            }
            variables.put("add_generation_prompt", true);
            var rendered = templates.render(variables);
            assertEquals(golden.path("prompt").asString(""), rendered.text());
            assertArrayEquals(
                    Suites.ints(golden.path("ids")), tokenizer.encode(rendered.segments(), false));
        }
        assertEquals(7, seen);
    }
}
