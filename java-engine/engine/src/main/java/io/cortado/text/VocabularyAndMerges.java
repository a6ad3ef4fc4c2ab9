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
        model.putObject("vocab");
        model.putArray("merges");
        TokenIds vocab = TokenizerJsonReader.vocabulary(vocabulary);
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
        return TokenizerFile.parse(new TokenizerJson(root, vocab, merges(merges)));
    }

    private static MergeList merges(byte[] content) {
        var list = new MergeList();
        String text = new String(content, StandardCharsets.UTF_8);
        int lines = 0;
        for (String line : (Iterable<String>) text.lines()::iterator) {
            boolean isComment = lines++ == 0 && line.startsWith("#version");
            boolean isMerge = isComment || line.isEmpty() || addLine(list, line);
            if (!isMerge) {
                throw new TokenizerFormatException(
                        "merge is not a pair of tokens: merges.txt line="
                                + lines
                                + " text="
                                + TokenizerFile.clip(line));
            }
            if (list.size() > ModelFile.MAX_MERGES) {
                throw new TokenizerFormatException(
                        "merges.txt too long: limit=" + ModelFile.MAX_MERGES);
            }
        }
        return list;
    }

    private static boolean addLine(MergeList list, String line) {
        return list.addLine(line.toCharArray(), 0, line.length());
    }

    /** Tokens that have a role, such as bos, are special though no file lists them as added. */
    private static void addRoleTokens(ArrayNode added, TokenIds vocab, TokenizerConfig config) {
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
            if (content == null || content.isEmpty() || vocab.find(content) == TokenIds.ABSENT) {
                continue;
            }
            boolean isListed = false;
            for (JsonNode token : added) {
                isListed |= token.path("content").asString("").equals(content);
            }
            if (!isListed) {
                added.addObject()
                        .put("id", vocab.find(content))
                        .put("content", content)
                        .put("lstrip", role.equals("mask_token"))
                        .put("special", true);
            }
        }
    }

    private static void pipeline(ObjectNode root, TokenIds vocab, TokenizerConfig config) {
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
            ArrayNode pair, TokenIds vocab, TokenizerConfig config, String role, String fallback) {
        String content = config.token(role);
        String token = content == null ? fallback : content;
        pair.add(token);
        pair.add(id(vocab, token));
    }

    /** A token's id for the pipeline, null where the vocabulary lacks it. */
    private static JsonNode id(TokenIds vocab, String token) {
        int id = vocab.find(token);
        return id == TokenIds.ABSENT ? NODES.nullNode() : NODES.numberNode(id);
    }

    private static void template(
            ObjectNode root, TokenIds vocab, @Nullable String bos, @Nullable String eos) {
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
                tokens.putObject(token).putArray("ids").add(id(vocab, token));
            }
        }
    }

    private static void special(ArrayNode row, @Nullable String token) {
        if (token != null) {
            row.addObject().putObject("SpecialToken").put("id", token).put("type_id", 0);
        }
    }
}
