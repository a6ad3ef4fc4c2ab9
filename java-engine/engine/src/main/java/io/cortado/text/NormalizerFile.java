package io.cortado.text;

import java.text.Normalizer.Form;
import java.util.Base64;
import tools.jackson.databind.JsonNode;

/** Reads the {@code normalizer} of a {@code tokenizer.json}. */
final class NormalizerFile {
    private NormalizerFile() {}

    static Normalizer read(JsonNode node) {
        if (TokenizerFile.isAbsent(node)) {
            return Normalizer.NONE;
        }
        return switch (Pipeline.type(node)) {
            case "NFC", "NFD", "NFKC", "NFKD" -> form(node);
            case "Lowercase" -> simple(node, Normalizers::lowercase);
            case "StripAccents" -> simple(node, Normalizers::stripAccents);
            case "Nmt" -> simple(node, Normalizers::nmt);
            case "ByteLevel" -> simple(node, Normalizers::byteLevel);
            case "Strip" -> {
                Pipeline.requireFields("Strip", node, "strip_left", "strip_right");
                yield Normalizers.strip(
                        Pipeline.flag(node, "strip_left", true),
                        Pipeline.flag(node, "strip_right", true));
            }
            case "Prepend" -> {
                Pipeline.requireFields("Prepend", node, "prepend");
                yield Normalizers.prepend(Pipeline.required(node, "prepend"));
            }
            case "Replace" -> replace(node);
            case "Precompiled" -> precompiled(node);
            case "BertNormalizer" -> bert(node);
            case "Sequence" -> {
                Pipeline.requireFields("Sequence", node, "normalizers");
                yield Normalizer.sequence(
                        Pipeline.parts(node, "normalizers").stream()
                                .map(NormalizerFile::read)
                                .toList());
            }
            case String other -> throw Pipeline.unsupported("normalizer", other);
        };
    }

    private static Normalizer simple(JsonNode node, Normalizer normalizer) {
        Pipeline.requireFields(Pipeline.type(node), node);
        return normalizer;
    }

    private static Normalizer form(JsonNode node) {
        return simple(node, new UnicodeForm(Form.valueOf(Pipeline.type(node))));
    }

    private static Normalizer replace(JsonNode node) {
        Pipeline.requireFields("Replace", node, "pattern", "content");
        String content = Pipeline.required(node, "content");
        JsonNode pattern = node.path("pattern");
        if (pattern.has("String")) {
            return Normalizers.replaceLiteral(Pipeline.literal(pattern), content);
        }
        return Normalizers.replace(Pipeline.finder(pattern), content);
    }

    private static Normalizer precompiled(JsonNode node) {
        Pipeline.requireFields("Precompiled", node, "precompiled_charsmap");
        String map = Pipeline.required(node, "precompiled_charsmap");
        try {
            return CharsMap.parse(Base64.getDecoder().decode(map));
        } catch (IllegalArgumentException e) {
            if (e instanceof TokenizerFormatException format) {
                throw format;
            }
            throw new TokenizerFormatException(
                    "precompiled_charsmap is not base64: " + e.getMessage(), e);
        }
    }

    private static Normalizer bert(JsonNode node) {
        Pipeline.requireFields(
                "BertNormalizer",
                node,
                "clean_text",
                "handle_chinese_chars",
                "strip_accents",
                "lowercase");
        boolean lowercase = Pipeline.flag(node, "lowercase", true);
        return new BertNormalizer(
                Pipeline.flag(node, "clean_text", true),
                Pipeline.flag(node, "handle_chinese_chars", true),
                Pipeline.flag(node, "strip_accents", lowercase),
                lowercase);
    }
}
