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

/** Every family of the shared suite, against what Hugging Face tokenizers makes of it. */
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
                "llama2",
                "llama2-normalized",
                "mistral-v03",
                "gemma3",
                "phi3",
                "tekken",
                "falcon",
                "starcoder",
                "olmo2",
                "phi4",
                "phi4-mini",
                "glm4",
                "kimi-k2",
                "t5",
                "xlmr",
                "bge-m3",
                "bert",
                "minilm",
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
            if (row.path("hex").isString()) {
                assertEquals(
                        row.path("hex").asString(""),
                        HexFormat.of().formatHex(tokenizer.tokenBytes(row.path("id").intValue())),
                        row::toString);
            }
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
        String pair = row.has("pair") ? Suites.text(row.path("pair")) : null;
        Encoding encoding = tokenizer.encodeRow(text, pair, special, match);
        int[] ids = encoding.ids();
        assertArrayEquals(Suites.ints(row.path("ids")), ids, row::toString);
        if (row.has("type_ids")) {
            assertArrayEquals(Suites.ints(row.path("type_ids")), encoding.typeIds(), row::toString);
        }
        if (row.has("attention_mask")) {
            assertArrayEquals(
                    Suites.ints(row.path("attention_mask")),
                    encoding.attentionMask(),
                    row::toString);
        }
        if (row.has("offsets")) {
            var offsets = new ArrayList<Integer>();
            row.path("offsets")
                    .forEach(
                            pairOfOffsets -> pairOfOffsets.forEach(o -> offsets.add(o.intValue())));
            assertArrayEquals(
                    offsets.stream().mapToInt(Integer::intValue).toArray(),
                    encoding.offsets(),
                    row::toString);
        }
        if (pair == null && !tokenizer.resizesRows()) {
            assertArrayEquals(ids, tokenizer.encode(text, special, match), row::toString);
        }
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

    @Test
    void preTokenizersCutAsTheReferenceDoes() throws IOException {
        for (JsonNode row :
                Suites.rows(Suites.shared("suites/tokenizers/pretokenizers.jsonl.gz"))) {
            PreTokenization split =
                    PreTokenization.parse(
                            row.path("pre_tokenizer").toString().getBytes(StandardCharsets.UTF_8));
            for (JsonNode one : row.path("cases")) {
                var pieces = new ArrayList<PreTokenization.Word>();
                one.path(1)
                        .forEach(piece ->
                                pieces.add(
                                        new PreTokenization.Word(
                                                piece.path(0).asString(""),
                                                piece.path(1).intValue(),
                                                piece.path(2).intValue())));
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
