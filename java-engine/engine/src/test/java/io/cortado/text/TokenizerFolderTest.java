package io.cortado.text;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

class TokenizerFolderTest {
    private static final JsonMapper MAPPER = JsonMapper.builder().build();

    @TempDir Path folder;

    private void write(String name, String content) throws IOException {
        Files.writeString(folder.resolve(name), content);
    }

    /** The tiny tokenizer as vocab.json and merges.txt. */
    private void writeVocabularyAndMerges() throws IOException {
        JsonNode model =
                MAPPER.readTree(TinyTokenizer.json("[]", TinyTokenizer.MERGES)).path("model");
        write("vocab.json", model.path("vocab").toString());
        write("merges.txt", "#version: 0.2\na b\nab ab\n");
    }

    @Test
    void whatIsMissingIsNamedOnce() throws IOException {
        var nothing = assertThrows(NoSuchFileException.class, () -> Tokenizer.open(folder));
        assertTrue(
                String.valueOf(nothing.getMessage()).contains("tokenizer.json, tokenizer.model"));
        assertFalse(Tokenizer.isIn(folder));
        writeVocabularyAndMerges();
        Files.delete(folder.resolve("merges.txt"));
        var half = assertThrows(NoSuchFileException.class, () -> Tokenizer.open(folder));
        assertTrue(String.valueOf(half.getMessage()).contains("merges.txt"), half::toString);
        assertTrue(Tokenizer.isIn(folder));
    }

    @Test
    void vocabularyAndMergesAreGpt2s() throws IOException {
        writeVocabularyAndMerges();
        write("added_tokens.json", "{\"<end>\":258}");
        write("tokenizer_config.json", "{\"add_prefix_space\":true,\"eos_token\":\"abab\"}");
        Tokenizer tokenizer = Tokenizer.open(folder);
        assertArrayEquals(
                new int[] {' ', 257, 256, 258},
                tokenizer.encode("ababab<end>", true, AddedTokenMatch.NON_SPECIAL));
        // A token with a role is a control token.
        assertTrue(tokenizer.isSpecial(257));
    }

    @Test
    void classNamesTheWordsAndWhatStandsAroundThem() throws IOException {
        writeVocabularyAndMerges();
        write("tokenizer_config.json", "{\"tokenizer_class\":\"Qwen2TokenizerFast\"}");
        assertArrayEquals(
                new int[] {'1', '2', 256},
                Tokenizer.open(folder).encode("12ab", true, AddedTokenMatch.NONE));
        assertEquals(1, Tokenizer.open(folder).encode("Å", false, AddedTokenMatch.NONE).length - 1);
        write(
                "tokenizer_config.json",
                "{\"tokenizer_class\":\"RobertaTokenizer\",\"cls_token\":{\"content\":\"ab\"},"
                        + "\"sep_token\":\"abab\"}");
        assertArrayEquals(
                new int[] {256, 'x', 257},
                Tokenizer.open(folder).encode("x", true, AddedTokenMatch.NONE));
        write(
                "tokenizer_config.json",
                "{\"tokenizer_class\":\"GPT2Tokenizer\",\"add_bos_token\":true,\"bos_token\":\"ab\"}");
        assertArrayEquals(
                new int[] {256, 'x'},
                Tokenizer.open(folder).encode("x", true, AddedTokenMatch.NONE));
        write("tokenizer_config.json", "{\"tokenizer_class\":\"CLIPTokenizer\"}");
        var error = assertThrows(UnsupportedTokenizerException.class, () -> Tokenizer.open(folder));
        assertTrue(String.valueOf(error.getMessage()).contains("CLIPTokenizer"));
    }

    @Test
    void tokenizerJsonGoesBeforeAllOthers() throws IOException {
        writeVocabularyAndMerges();
        Files.write(folder.resolve("qwen.tiktoken"), TiktokenTokenizerTest.file(List.of("xy")));
        assertEquals("xy", Tokenizer.open(folder).tokenText(256));
        write("tokenizer.model", "bm90IGEgYnl0ZQ== 0\n");
        assertThrows(TokenizerFormatException.class, () -> Tokenizer.open(folder));
        write("tokenizer.json", TinyTokenizer.json("[]", "[]"));
        assertEquals("ab", Tokenizer.open(folder).tokenText(256));
    }

    @Test
    void configurationNamesTheTokensOfATiktokenFile() throws IOException {
        Files.write(folder.resolve("tiktoken.model"), TiktokenTokenizerTest.file(List.of("xy")));
        write("config.json", "{\"model_type\":\"kimi_k2\"}");
        write(
                "tokenizer_config.json",
                "{\"bos_token\":\"[BOS]\",\"add_bos_token\":true,\"added_tokens_decoder\":"
                        + "{\"257\":{\"content\":\"[BOS]\",\"special\":true}}}");
        Tokenizer tokenizer = Tokenizer.open(folder);
        assertArrayEquals(new int[] {257, 256}, tokenizer.encode("xy", true, AddedTokenMatch.NONE));
        assertEquals("<|reserved_token_258|>", tokenizer.tokenText(258));
        write(
                "tokenizer_config.json",
                "{\"added_tokens_decoder\":{\"256\":{\"content\":\"[BOS]\"}}}");
        var error = assertThrows(TokenizerFormatException.class, () -> Tokenizer.open(folder));
        assertTrue(String.valueOf(error.getMessage()).contains("id=256"), error::toString);
    }

    @Test
    void hostileConfigurationsAreRefused() throws IOException {
        writeVocabularyAndMerges();
        refusesConfig("key=-1", "{\"added_tokens_decoder\":{\"-1\":{\"content\":\"x\"}}}");
        refusesConfig(
                "key=99999999", "{\"added_tokens_decoder\":{\"99999999\":{\"content\":\"x\"}}}");
        refusesConfig("true or false", "{\"add_prefix_space\":\"yes\"}");
        refusesConfig("acceptable JSON", "{");
        refusesConfig("must be an object", "{\"added_tokens_decoder\":{\"300\":3}}");
        write("tokenizer_config.json", "{}");
        write("added_tokens.json", "{\"x\":-3}");
        var error = assertThrows(TokenizerFormatException.class, () -> Tokenizer.open(folder));
        assertTrue(String.valueOf(error.getMessage()).contains("=-3"), error::toString);
    }

    private void refusesConfig(String reason, String config) throws IOException {
        write("tokenizer_config.json", config);
        var error = assertThrows(TokenizerFormatException.class, () -> Tokenizer.open(folder));
        assertTrue(String.valueOf(error.getMessage()).contains(reason), error::toString);
    }
}
