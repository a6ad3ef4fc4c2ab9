package io.cortado.bench.conformance;

import io.cortado.model.GgufModel;
import io.cortado.model.ModelException;
import io.cortado.text.AddedTokenMatch;
import io.cortado.text.Tokenizer;
import io.cortado.text.UnsupportedTokenizerException;
import io.cortado.text.jinja.ChatTemplates;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * {@code conformance gguf}: stored blocks and their values, whole models with their logits, token
 * ids and rendered chats, and malformed files.
 */
public final class GgufSuite implements Suite {
    private static final int MAX_PRINTED = 10;
    private static final String GOLDEN = "golden.json";
    private static final JsonMapper MAPPER = JsonMapper.builder().build();

    @Override
    public String name() {
        return "gguf";
    }

    @Override
    public Report run(Path path, SuiteOptions options, PrintStream out) throws IOException {
        Tally all = new Tally();
        for (Path one : groups(path.toAbsolutePath().normalize())) {
            Tally tally = new Tally();
            String remark = group(one, options, tally);
            Report report = tally.report(label(one));
            report.printGroup(out, MAX_PRINTED);
            if (!remark.isEmpty()) {
                out.println("    " + remark);
            }
            all.add(report);
        }
        Report report = all.report(name());
        report.printResult(out);
        return report;
    }

    private static String label(Path one) {
        Path name = isModel(one) ? one.resolveSibling("").getFileName() : one.getFileName();
        return name.toString();
    }

    /** Dequantisation rows, models beside a golden file, folders of malformed files. */
    private static List<Path> groups(Path path) throws IOException {
        if (Files.isRegularFile(path)) {
            boolean isGolden = path.getFileName().toString().equals(GOLDEN);
            boolean isFacts = path.getFileName().toString().equals("bad.json");
            return isGolden
                    ? models(path.resolveSibling(""))
                    : List.of(isFacts ? path.resolveSibling("") : path);
        }
        if (BadFiles.has(path)) {
            return List.of(path);
        }
        if (Files.exists(path.resolve(GOLDEN))) {
            return models(path);
        }
        List<Path> groups = new ArrayList<>();
        try (Stream<Path> children = Files.list(path)) {
            for (Path child : children.sorted().toList()) {
                if (Files.isDirectory(child)) {
                    groups.addAll(groups(child));
                } else if (child.getFileName().toString().contains(".jsonl")) {
                    groups.add(child);
                }
            }
        }
        return groups;
    }

    private static List<Path> models(Path folder) throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            // Of a model in parts the first stands for all.
            return files.filter(GgufModel::isGguf)
                    .filter(file ->
                            !file.toString().matches(".*-\\d{5}-of-\\d{5}\\.gguf")
                                    || file.toString().contains("-00001-of-"))
                    .sorted()
                    .toList();
        }
    }

    private static boolean isModel(Path path) {
        return GgufModel.isGguf(path) && Files.exists(path.resolveSibling(GOLDEN));
    }

    /** Returns what there is to say beside the counts. */
    private static String group(Path path, SuiteOptions options, Tally tally) throws IOException {
        if (Files.isDirectory(path)) {
            BadFiles.run(path.resolve("bad.json"), "", options.limit(), GgufSuite::read, tally);
        } else if (isModel(path)) {
            return model(path, options, tally);
        } else if (GgufModel.isGguf(path)) {
            Path facts = path.resolveSibling("bad.json");
            if (!Files.exists(facts)) {
                throw new IOException("there is neither golden.json nor bad.json beside " + path);
            }
            String only = path.getFileName().toString();
            BadFiles.run(facts, only, options.limit(), GgufSuite::read, tally);
        } else {
            DequantRows.blocks(path, options.limit(), tally);
        }
        return "";
    }

    private static void read(Path file) {
        GgufModel.open(file).close();
    }

    private static String model(Path file, SuiteOptions options, Tally tally) throws IOException {
        Path facts = file.resolveSibling(GOLDEN);
        JsonNode golden = JsonLines.readTree(facts);
        Map<String, Object> keys;
        try (GgufModel model = GgufModel.open(file)) {
            keys = model.tokenizerKeys();
        } catch (ModelException e) {
            int cases =
                    golden.path("prompts").size()
                            + golden.path("tokenize").size()
                            + golden.path("chat").size();
            GoldenSuite.count(e, Math.max(1, cases), tally);
            return "";
        }
        int failed = tally.wrongs();
        String remark = GoldenSuite.runChecked(file, GoldenFile.read(facts), options, tally);
        if (tally.wrongs() > failed) {
            remark += TensorSums.differing(file, golden.path("tensors"));
        }
        if (golden.has("tokenize")) {
            tokenize(keys, golden.path("tokenize"), tally);
        }
        if (golden.has("chat")) {
            chat(keys, golden.path("chat"), tally);
        }
        return remark;
    }

    private static void tokenize(Map<String, Object> keys, JsonNode cases, Tally tally) {
        Tokenizer tokenizer;
        try {
            tokenizer = Tokenizer.fromGguf(keys);
        } catch (UnsupportedTokenizerException e) {
            tally.refused(String.valueOf(e.getMessage()), cases.size());
            return;
        }
        for (JsonNode row : cases) {
            String text = row.path("text").asString("");
            int[] ids = tokenizer.encode(text, false, AddedTokenMatch.ALL);
            boolean isEqual =
                    Arrays.equals(JsonLines.ints(row.path("ids")), ids)
                            || row.has("ids_without_nfc")
                                    && Arrays.equals(
                                            JsonLines.ints(row.path("ids_without_nfc")), ids);
            if (isEqual) {
                tally.right();
            } else {
                tally.compare("tokenize " + text, row.path("ids").toString(), Arrays.toString(ids));
            }
        }
    }

    private static void chat(Map<String, Object> keys, JsonNode chat, Tally tally) {
        List<JsonNode> cases = new ArrayList<>();
        if (chat.isArray()) {
            chat.forEach(cases::add);
        } else {
            cases.add(chat);
        }
        ChatTemplates templates = ChatTemplates.fromGguf(keys);
        for (JsonNode row : cases) {
            Map<String, Object> variables = new LinkedHashMap<>();
            for (Map.Entry<String, JsonNode> entry : row.properties()) {
                if (!entry.getKey().equals("text")) {
                    variables.put(
                            entry.getKey(), MAPPER.treeToValue(entry.getValue(), Object.class));
                }
            }
            tally.compare(
                    "chat", row.path("text").asString(""), templates.render(variables).text());
        }
    }
}
