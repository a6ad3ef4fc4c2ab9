package io.cortado.text;

import java.nio.charset.StandardCharsets;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * Byte-level models in GPT-2's first format, {@code vocab.json} and {@code merges.txt}, as the
 * {@code tokenizer.json} that their slow tokenizer's class stands for.
 */
final class VocabularyAndMerges {
    private static final JsonNodeFactory NODES = JsonNodeFactory.instance;

    private VocabularyAndMerges() {}

    static Tokenizer read(byte[] vocabulary, byte[] merges, TokenizerConfig config) {
        ObjectNode root = NODES.objectNode();
        ObjectNode model = root.putObject("model");
        model.put("type", "BPE");
        JsonNode vocab = JsonFiles.parse(vocabulary, "vocab.json", TokenizerFile.MAX_FILE_BYTES);
        model.set("vocab", vocab);
        model.set("merges", merges(merges));
        root.set("decoder", PipelineNodes.byteLevel(true, true));
        ArrayNode added = root.putArray("added_tokens");
        for (Map.Entry<Integer, JsonNode> entry : config.addedTokens().entrySet()) {
            if (!entry.getValue().isObject()) {
                throw new TokenizerFormatException(
                        "added token must be an object: id="
                                + entry.getKey()
                                + " token="
                                + TokenizerFile.brief(entry.getValue()));
            }
            added.add(((ObjectNode) entry.getValue().deepCopy()).put("id", entry.getKey()));
        }
        addRoleTokens(added, vocab, config);
        pipeline(root, vocab, config);
        return TokenizerFile.parse(root);
    }

    private static ArrayNode merges(byte[] content) {
        ArrayNode list = NODES.arrayNode();
        String text = new String(content, StandardCharsets.UTF_8);
        int lines = 0;
        for (String line : (Iterable<String>) text.lines()::iterator) {
            boolean isComment = lines++ == 0 && line.startsWith("#version");
            if (!isComment && !line.isEmpty()) {
                list.add(line);
            }
            if (list.size() > ModelFile.MAX_MERGES) {
                throw new TokenizerFormatException(
                        "merges.txt too long: limit=" + ModelFile.MAX_MERGES);
            }
        }
        return list;
    }

    /** Tokens that have a role, such as bos, are special though no file lists them as added. */
    private static void addRoleTokens(ArrayNode added, JsonNode vocab, TokenizerConfig config) {
        for (String role :
                new String[] {
                    "bos_token",
                    "eos_token",
                    "unk_token",
                    "sep_token",
                    "pad_token",
                    "cls_token",
                    "mask_token"
                }) {
            String content = config.token(role);
            if (content == null || content.isEmpty() || !vocab.has(content)) {
                continue;
            }
            boolean isListed = false;
            for (JsonNode token : added) {
                isListed |= token.path("content").asString("").equals(content);
            }
            if (!isListed) {
                added.addObject()
                        .put("id", vocab.path(content).intValue())
                        .put("content", content)
                        .put("lstrip", role.equals("mask_token"))
                        .put("special", true);
            }
        }
    }

    private static void pipeline(ObjectNode root, JsonNode vocab, TokenizerConfig config) {
        boolean prefixed = config.flag("add_prefix_space", false);
        String name = config.tokenizerClass().replaceFirst("Fast$", "");
        switch (name) {
            case "", "GPT2Tokenizer", "GPTNeoXTokenizer", "CodeGenTokenizer" -> {
                root.set("pre_tokenizer", PipelineNodes.byteLevel(prefixed, true));
                String bos = config.flag("add_bos_token", false) ? config.token("bos_token") : null;
                String eos = config.flag("add_eos_token", false) ? config.token("eos_token") : null;
                template(root, vocab, bos, eos);
            }
            case "RobertaTokenizer", "BartTokenizer", "LongformerTokenizer", "LEDTokenizer" -> {
                root.set("pre_tokenizer", PipelineNodes.byteLevel(prefixed, true));
                ObjectNode processor = root.putObject("post_processor");
                processor.put("type", "RobertaProcessing");
                role(processor.putArray("sep"), vocab, config, "sep_token", "</s>");
                role(processor.putArray("cls"), vocab, config, "cls_token", "<s>");
            }
            case "Qwen2Tokenizer" -> {
                root.set("normalizer", PipelineNodes.node("NFC"));
                if (prefixed) {
                    throw Pipeline.unsupported("Qwen2Tokenizer with add_prefix_space", "true");
                }
                root.set("pre_tokenizer", PipelineNodes.splits(PublishedPatterns.QWEN2));
            }
            default -> throw Pipeline.unsupported("vocab.json with tokenizer_class", name);
        }
    }

    private static void role(
            ArrayNode pair, JsonNode vocab, TokenizerConfig config, String role, String fallback) {
        String content = config.token(role);
        String token = content == null ? fallback : content;
        pair.add(token);
        pair.add(vocab.path(token));
    }

    private static void template(
            ObjectNode root, JsonNode vocab, @Nullable String bos, @Nullable String eos) {
        if (bos == null && eos == null) {
            return;
        }
        ObjectNode processor = root.putObject("post_processor").put("type", "TemplateProcessing");
        ArrayNode single = processor.putArray("single");
        ArrayNode pair = processor.putArray("pair");
        ObjectNode tokens = processor.putObject("special_tokens");
        for (String text : new String[] {"A", "B"}) {
            for (ArrayNode row :
                    text.equals("A") ? new ArrayNode[] {single, pair} : new ArrayNode[] {pair}) {
                special(row, bos);
                row.addObject().putObject("Sequence").put("id", text).put("type_id", 0);
                special(row, eos);
            }
        }
        for (String token : new String[] {bos, eos}) {
            if (token != null) {
                tokens.putObject(token).putArray("ids").add(vocab.path(token));
            }
        }
    }

    private static void special(ArrayNode row, @Nullable String token) {
        if (token != null) {
            row.addObject().putObject("SpecialToken").put("id", token).put("type_id", 0);
        }
    }
}
