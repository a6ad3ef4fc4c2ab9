package io.cortado.text;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class GgufTokenizerTest {
    private static final String PREFIX = "tokenizer.ggml.";

    /** Bytes in their letters, two merges, a control token and a user-defined one. */
    private static Map<String, Object> byteLevel() {
        var tokens = new ArrayList<String>();
        for (int b = 0; b < 256; b++) {
            tokens.add(ByteLetters.spell(new byte[] {(byte) b}));
        }
        tokens.addAll(List.of("ab", "abab", "<end>", "<think>"));
        var types = new int[tokens.size()];
        Arrays.fill(types, 1);
        types[258] = 3;
        types[259] = 4;
        var keys = new HashMap<String, Object>();
        keys.put(PREFIX + "model", "gpt2");
        keys.put(PREFIX + "pre", "qwen2");
        keys.put(PREFIX + "tokens", tokens.toArray(String[]::new));
        keys.put(PREFIX + "token_type", types);
        keys.put(PREFIX + "merges", List.of("a b", "ab ab"));
        keys.put(PREFIX + "bos_token_id", 258);
        return keys;
    }

    @Test
    void byteLevelTokensMergeByTheirList() {
        Tokenizer tokenizer = Tokenizer.fromGguf(byteLevel());
        assertArrayEquals(
                new int[] {257, 256, 259, 258},
                tokenizer.encode("ababab<think><end>", true, AddedTokenMatch.ALL));
        assertTrue(tokenizer.isSpecial(258) && !tokenizer.isSpecial(259));
        assertEquals("ababab", tokenizer.decode(new int[] {257, 256}, false));
    }

    @Test
    void flagsPutTokensAroundATextAndNamesHaveTheirOwn() {
        var keys = byteLevel();
        keys.put(PREFIX + "add_bos_token", true);
        assertArrayEquals(new int[] {258, 'x'}, encode(keys, "x"));
        keys.remove(PREFIX + "add_bos_token");
        keys.put(PREFIX + "pre", "llama-bpe");
        assertArrayEquals(new int[] {258, 'x'}, encode(keys, "x"));
        keys.put(PREFIX + "add_bos_token", false);
        keys.put(PREFIX + "add_eos_token", true);
        keys.put(PREFIX + "eos_token_id", 259L);
        assertArrayEquals(new int[] {'x', 259}, encode(keys, "x"));
        keys.put(PREFIX + "eos_token_id", 0xFFFF_FFFFL);
        refuses("eos_token_id=missing", keys);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "default",
                "llama-bpe",
                "deepseek-llm",
                "deepseek-coder",
                "deepseek-v3",
                "falcon",
                "starcoder",
                "gpt-2",
                "qwen2",
                "qwen35",
                "bloom",
                "chatglm-bpe",
                "viking",
                "tekken",
                "gpt-4o",
                "kimi-k2",
                "tiny_aya",
                "bailingmoe",
                "seed-coder",
                "minicpm5",
                "ufakzeka"
            })
    void everyNameCutsAWholeText(String name) {
        String text = "Hello, world! 12345 don't 漢字 ça\n\n  x  ٣٤٥ Ünïcödé's\r\n\tend  ";
        var joined = new StringBuilder();
        PreTokenization.named(name).split(text).forEach(word -> joined.append(word.spelling()));
        assertEquals(
                ByteLetters.spell(text.getBytes(java.nio.charset.StandardCharsets.UTF_8)),
                joined.toString());
    }

    @Test
    void sentencePieceTokensMergeByTheirScores() {
        var keys = new HashMap<String, Object>();
        keys.put(PREFIX + "model", "llama");
        var tokens = new ArrayList<>(List.of("<unk>", "<s>", "</s>"));
        var types = new ArrayList<>(List.of(2, 3, 3));
        var scores = new ArrayList<>(List.of(0f, 0f, 0f));
        for (int b = 0; b < 256; b++) {
            tokens.add(String.format("<0x%02X>", b));
            types.add(6);
            scores.add(0f);
        }
        for (String piece : List.of("▁a", "ab", "a", "b", "▁", "")) {
            tokens.add(piece);
            types.add(1);
            scores.add((float) -tokens.size());
        }
        keys.put(PREFIX + "tokens", tokens);
        keys.put(PREFIX + "token_type", types);
        keys.put(PREFIX + "scores", scores);
        keys.put(PREFIX + "bos_token_id", 1);
        assertArrayEquals(new int[] {1, 259, 262}, encode(keys, "ab"));
        keys.put(PREFIX + "add_space_prefix", false);
        assertArrayEquals(new int[] {1, 260, 3 + 0xC3, 3 + 0xA9}, encode(keys, "abé"));
        assertEquals("[EMPTY_264]", Tokenizer.fromGguf(keys).tokenText(264));
        keys.remove(PREFIX + "scores");
        refuses("scores=missing", keys);
    }

    @Test
    void wordPiecesComeWithTheirMarksTurnedAround() {
        var keys = new HashMap<String, Object>();
        keys.put(PREFIX + "model", "bert");
        keys.put(PREFIX + "tokens", List.of("[UNK]", "[CLS]", "[SEP]", "▁play", "ing", "▁é"));
        keys.put(PREFIX + "token_type", List.of(3, 3, 3, 1, 1, 1));
        keys.put(PREFIX + "unknown_token_id", 0);
        keys.put(PREFIX + "bos_token_id", 1);
        keys.put(PREFIX + "seperator_token_id", 2);
        assertArrayEquals(new int[] {1, 3, 4, 0, 2}, encode(keys, "Playing x"));
        assertEquals("playing", Tokenizer.fromGguf(keys).decode(new int[] {3, 4}, false));
    }

    @Test
    void hostileMetadataIsRefusedByKey() {
        refuses("tokenizer.ggml.model=rwkv", with("model", "rwkv"));
        refuses("tokenizer.ggml.model=(missing)", with("model", null));
        refuses("tokenizer.ggml.pre=my-own", with("pre", "my-own"));
        refuses("tokenizer.ggml.pre must be a string", with("pre", 3));
        refuses("tokens=missing", with("tokens", null));
        refuses("tokens=empty", with("tokens", List.of()));
        refuses("tokens must be an array of strings", with("tokens", List.of(1, 2)));
        var equal = with("tokens", List.of("a", "a"));
        equal.remove(PREFIX + "token_type");
        refuses("are equal: ids=0,1", equal);
        refuses("merges=missing", with("merges", null));
        refuses("not a pair", with("merges", List.of("ab")));
        refuses("not in model.vocab", with("merges", List.of("a c")));
        refuses("one entry for each token: entries=2", with("token_type", new int[2]));
        refuses("add_bos_token must be a boolean", with("add_bos_token", 1));
        refuses("bos_token_id=99999", with("bos_token_id", 99_999));
    }

    private static Map<String, Object> with(
            String key, @org.jspecify.annotations.Nullable Object value) {
        var keys = byteLevel();
        keys.put(PREFIX + "add_bos_token", true);
        if (value == null) {
            keys.remove(PREFIX + key);
        } else {
            keys.put(PREFIX + key, value);
        }
        return keys;
    }

    private static int[] encode(Map<String, Object> keys, String text) {
        return Tokenizer.fromGguf(keys).encode(text, true, AddedTokenMatch.NONE);
    }

    private static void refuses(String reason, Map<String, Object> keys) {
        var error = assertThrows(TokenizerFormatException.class, () -> Tokenizer.fromGguf(keys));
        assertTrue(String.valueOf(error.getMessage()).contains(reason), error::toString);
    }
}
