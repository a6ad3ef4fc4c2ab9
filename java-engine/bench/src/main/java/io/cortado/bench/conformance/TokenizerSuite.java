package io.cortado.bench.conformance;

import io.cortado.text.AddedTokenMatch;
import io.cortado.text.Encoding;
import io.cortado.text.PreTokenization;
import io.cortado.text.StreamingDecoder;
import io.cortado.text.TextBudgetException;
import io.cortado.text.Tokenizer;
import io.cortado.text.TokenizerFormatException;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import tools.jackson.databind.JsonNode;

/**
 * {@code conformance tokenizers}: families of {@code tokenizer.json} with cases, streams and token
 * bytes, and pre-tokenizers by themselves.
 */
public final class TokenizerSuite implements Suite {
    private static final int MAX_PRINTED = 10;
    private static final String PRETOKENIZERS = "pretokenizers";
    private static final List<String> FILES = List.of("cases", "stream", "token_bytes");

    @Override
    public String name() {
        return "tokenizers";
    }

    @Override
    public Report run(Path path, SuiteOptions options, PrintStream out) throws IOException {
        var all = new Tally();
        for (Path file : SuiteFiles.under(path, TokenizerSuite::isSuiteFile)) {
            Report group =
                    file.getFileName().toString().startsWith(PRETOKENIZERS)
                            ? preTokenizers(file, options)
                            : family(file, options);
            group.printGroup(out, MAX_PRINTED);
            all.add(group);
        }
        Report report = all.report(name());
        report.printResult(out);
        return report;
    }

    private static boolean isSuiteFile(Path file) {
        String name = file.getFileName().toString();
        return name.contains(".jsonl")
                && Stream.concat(FILES.stream(), Stream.of(PRETOKENIZERS))
                        .anyMatch(name::startsWith);
    }

    private static Report family(Path file, SuiteOptions options) throws IOException {
        Path folder = file.toAbsolutePath().getParent();
        String kind = file.getFileName().toString();
        String name =
                (folder == null ? "" : folder.getFileName() + "/")
                        + kind.replaceAll("\\.jsonl.*", "");
        List<JsonNode> rows = JsonLines.read(file, options.limit());
        var tally = new Tally();
        Tokenizer tokenizer;
        try {
            tokenizer = Tokenizer.open(folder == null ? Path.of("") : folder);
        } catch (TokenizerFormatException e) {
            tally.refused(name + ": " + e.getMessage(), rows.size());
            return tally.report(name);
        }
        for (JsonNode row : rows) {
            try {
                judge(row, tokenizer, tally);
            } catch (IllegalArgumentException e) {
                tally.refused(name + " n=" + row.path("n").asString("?") + ": " + e.getMessage());
            }
        }
        return tally.report(name);
    }

    private static void judge(JsonNode row, Tokenizer tokenizer, Tally tally) {
        if (row.has("hex")) {
            tokenBytes(row, tokenizer, tally);
        } else if (row.has("full")) {
            stream(row, tokenizer, tally);
        } else {
            encodeAndDecode(row, tokenizer, tally);
        }
    }

    private static void encodeAndDecode(JsonNode row, Tokenizer tokenizer, Tally tally) {
        String label =
                "n="
                        + row.path("n").asString("?")
                        + " tag="
                        + row.path("tag").asString("")
                        + " match="
                        + row.path("match").asString("");
        AddedTokenMatch match =
                switch (row.path("match").asString("all")) {
                    case "none" -> AddedTokenMatch.NONE;
                    case "non-special" -> AddedTokenMatch.NON_SPECIAL;
                    default -> AddedTokenMatch.ALL;
                };
        boolean special = row.path("add_special_tokens").asBoolean(false);
        String text = text(row.path("text"));
        String pair = row.has("pair") ? text(row.path("pair")) : null;
        Encoding encoding = tokenizer.encodeRow(text, pair, special, match);
        int[] ids = encoding.ids();
        if (differs(row, "ids", ids, label, tally)
                || differs(row, "type_ids", encoding.typeIds(), label, tally)
                || differs(row, "attention_mask", encoding.attentionMask(), label, tally)
                || differs(row, "offsets", encoding.offsets(), label, tally)) {
            return;
        }
        // A prompt is encoded without places, truncation and padding, on another path.
        if (pair == null
                && !tokenizer.resizesRows()
                && differs(row, "ids", tokenizer.encode(text, special, match), label, tally)) {
            return;
        }
        String decoded = tokenizer.decode(ids, false);
        String skipped = tokenizer.decode(ids, true);
        if (!decoded.equals(text(row.path("decoded")))) {
            tally.compare(label + " decoded", text(row.path("decoded")), decoded);
        } else {
            tally.compare(label + " decoded_skip", text(row.path("decoded_skip")), skipped);
        }
    }

    /** Counts the case as wrong where the row has the field with other numbers. */
    private static boolean differs(
            JsonNode row, String field, int[] actual, String label, Tally tally) {
        int[] expected = flatInts(row.path(field));
        if (!row.has(field) || Arrays.equals(expected, actual)) {
            return false;
        }
        tally.wrong(
                label
                        + " "
                        + field
                        + ": expected "
                        + Arrays.toString(expected)
                        + " but was "
                        + Arrays.toString(actual));
        return true;
    }

    /** The numbers of an array, those of arrays in it in their turn. */
    private static int[] flatInts(JsonNode array) {
        return array.valueStream()
                .flatMapToInt(item ->
                        item.isArray()
                                ? IntStream.of(JsonLines.ints(item))
                                : IntStream.of(item.intValue()))
                .toArray();
    }

    private static void stream(JsonNode row, Tokenizer tokenizer, Tally tally) {
        String label = "stream n=" + row.path("n").asString("?");
        var decoder =
                new StreamingDecoder(tokenizer, row.path("skip_special_tokens").asBoolean(false));
        var text = new StringBuilder();
        for (String part : List.of("prompt_ids", "ids")) {
            for (int id : JsonLines.ints(row.path(part))) {
                String piece = decoder.feed(id);
                if (!piece.isEmpty()
                        && Character.isHighSurrogate(piece.charAt(piece.length() - 1))) {
                    tally.wrong(label + ": a piece ends inside a character");
                    return;
                }
                text.append(piece);
            }
        }
        text.append(decoder.flush());
        tally.compare(label, text(row.path("full")), text.toString());
    }

    private static void tokenBytes(JsonNode row, Tokenizer tokenizer, Tally tally) {
        if (!row.path("hex").isString()) {
            // A piece of a word has no bytes of its own.
            return;
        }
        int id = row.path("id").intValue();
        String hex = HexFormat.of().formatHex(tokenizer.tokenBytes(id));
        tally.compare("token id=" + id, row.path("hex").asString(""), hex);
    }

    private static Report preTokenizers(Path file, SuiteOptions options) throws IOException {
        var tally = new Tally();
        for (JsonNode row : JsonLines.read(file, options.limit())) {
            String name = row.path("name").asString("");
            JsonNode cases = row.path("cases");
            PreTokenization preTokenization;
            try {
                preTokenization =
                        PreTokenization.parse(
                                row.path("pre_tokenizer")
                                        .toString()
                                        .getBytes(StandardCharsets.UTF_8));
            } catch (TokenizerFormatException e) {
                tally.refused(name + ": " + e.getMessage(), cases.size());
                continue;
            }
            int index = 0;
            for (JsonNode one : cases) {
                var expected = new ArrayList<PreTokenization.Word>();
                one.path(1)
                        .forEach(piece ->
                                expected.add(
                                        new PreTokenization.Word(
                                                piece.path(0).asString(""),
                                                piece.path(1).intValue(),
                                                piece.path(2).intValue())));
                try {
                    tally.compare(
                            name + " case " + index++,
                            expected,
                            preTokenization.split(text(one.path(0))));
                } catch (TextBudgetException e) {
                    tally.refused(name + ": " + e.getMessage());
                }
            }
        }
        return tally.report(PRETOKENIZERS);
    }

    /** A text is a string, {@code {"repeat": [unit, n]}} or {@code {"concat": [text, ...]}}. */
    static String text(JsonNode node) {
        if (node.has("repeat")) {
            return node.path("repeat")
                    .path(0)
                    .asString("")
                    .repeat(node.path("repeat").path(1).intValue());
        }
        if (node.has("concat")) {
            var joined = new StringBuilder();
            node.path("concat").forEach(part -> joined.append(text(part)));
            return joined.toString();
        }
        return node.asString("");
    }
}
