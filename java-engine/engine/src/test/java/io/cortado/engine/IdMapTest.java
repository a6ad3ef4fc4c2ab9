package io.cortado.engine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.api.Engine;
import io.cortado.api.EngineException;
import io.cortado.api.EngineOptions;
import io.cortado.api.SamplingParams;
import io.cortado.api.Speculation;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Assertions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/** A draft model whose vocabulary is another one than its target's. */
@Timeout(value = 300, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class IdMapTest {
    private static final JsonMapper JSON = JsonMapper.shared();

    @TempDir Path folder;

    @Test
    void tokensOfOneSideAreNone() {
        IdMap map = IdMap.of(List.of("x", "a", "", "b"), List.of("a", "c", "b", "", "a"));
        assertEquals(2, map.shared());
        assertEquals(IdMap.NONE, map.toTarget(0));
        assertEquals(0, map.toTarget(1));
        assertEquals(IdMap.NONE, map.toTarget(2));
        assertEquals(2, map.toTarget(3));
        assertEquals(IdMap.NONE, map.toTarget(4), "padding");
        assertEquals(1, map.toDraft(0));
        assertEquals(3, map.toDraft(2));
        assertEquals(1, map.toDraft(4), "the same token again");
        assertEquals(0, map.toDraft(1), "a stranger");
        assertEquals(0, map.toDraft(9), "padding");
    }

    /** The demo's draft model with its ids in another order, and two tokens by other names. */
    private Path permuted() throws IOException {
        Path from = DemoEngine.draftFolder();
        for (String name : List.of("config.json", "model.safetensors", "tokenizer.json")) {
            Files.copy(from.resolve(name), folder.resolve(name));
        }
        ObjectNode tokenizer =
                (ObjectNode) JSON.readTree(Files.readString(folder.resolve("tokenizer.json")));
        JsonNode added = tokenizer.get("added_tokens");
        ObjectNode vocab = (ObjectNode) tokenizer.get("model").get("vocab");
        List<Integer> ids = new ArrayList<>(IntStream.range(0, vocab.size()).boxed().toList());
        Collections.shuffle(ids, new Random(3));
        for (String token : List.copyOf(vocab.propertyNames())) {
            vocab.put(token, ids.get(vocab.get(token).asInt()));
        }
        for (JsonNode token : added) {
            String content = token.get("content").asString();
            if (content.contains("tool_call")) {
                ((ObjectNode) token).put("content", content.replace("tool", "other"));
            }
        }
        Files.writeString(folder.resolve("tokenizer.json"), JSON.writeValueAsString(tokenizer));
        permuteRows(folder.resolve("model.safetensors"), ids);
        return folder;
    }

    /** Of the embeddings, which are the last layer as well; rows behind the ids stay. */
    private static void permuteRows(Path file, List<Integer> ids) throws IOException {
        byte[] all = Files.readAllBytes(file);
        int header = (int) ByteBuffer.wrap(all).order(ByteOrder.LITTLE_ENDIAN).getLong();
        JsonNode table =
                JSON.readTree(new String(all, 8, header, StandardCharsets.UTF_8))
                        .get("model.embed_tokens.weight");
        int start = 8 + header + table.get("data_offsets").get(0).asInt();
        int rowBytes = 2 * table.get("shape").get(1).asInt();
        byte[] old = all.clone();
        for (int id = 0; id < ids.size(); id++) {
            int to = start + ids.get(id) * rowBytes;
            System.arraycopy(old, start + id * rowBytes, all, to, rowBytes);
        }
        Files.write(file, all);
    }

    private static long accepted(Path draft, boolean inTrees, List<List<Integer>> answers)
            throws Exception {
        Speculation chains = Speculation.draftModel(draft.toString(), 4).adaptive(false);
        Speculation how = inTrees ? chains.tree(9, 3) : chains;
        EngineOptions options = DemoEngine.options();
        SamplingParams greedy = SamplingParams.builder().temperature(0).maxTokens(40).build();
        try (Engine engine = DemoEngine.open(options.speculation(how))) {
            for (DemoEngine.Golden golden : DemoEngine.goldens()) {
                answers.add(DemoEngine.ask(engine, golden.prompt(), greedy).ids());
            }
            return engine.stats().drafts().accepted();
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void draftsOfPermutedIdsStandAsOften(boolean inTrees) throws Exception {
        List<List<Integer>> same = new ArrayList<>();
        List<List<Integer>> permuted = new ArrayList<>();
        long before = accepted(DemoEngine.draftFolder(), inTrees, same);
        long after = accepted(permuted(), inTrees, permuted);
        assertEquals(same, permuted);
        assertTrue(after > 0.8 * before, () -> "before=" + before + " after=" + after);
    }

    @Test
    void withoutTokenizersTheSizesMustAgree() throws Exception {
        TinyModel.in(folder);
        Path other = TinyModel.in(Files.createDirectory(folder.resolve("other")), 330);
        Speculation how = Speculation.draftModel(other.toString(), 2);
        var refused =
                Assertions.assertThrows(
                        EngineException.class,
                        () -> Engine.open(folder, TinyModel.options("cpu").speculation(how)));
        assertTrue(String.valueOf(refused.getMessage()).contains("vocab_size, 320: 330"));
    }
}
