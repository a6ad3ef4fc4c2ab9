package io.cortado.text;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Base64;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

class SentencePieceTokenizerTest {
    private static final int NORMAL = 1;
    private static final int UNKNOWN = 2;
    private static final int CONTROL = 3;
    private static final int USER_DEFINED = 4;
    private static final int BYTE = 6;
    private static final int BPE = 2;

    /** Ids: 0 unk, 1 s, 2 /s, 3 to 258 bytes, then the pieces below. */
    private static final int FIRST = 259;

    private static Protobuf pieces() {
        var model =
                new Protobuf()
                        .piece("<unk>", 0, UNKNOWN)
                        .piece("<s>", 0, CONTROL)
                        .piece("</s>", 0, CONTROL);
        for (int b = 0; b < 256; b++) {
            model.piece(String.format("<0x%02X>", b), 0, BYTE);
        }
        return model.piece("▁a", -1, NORMAL)
                .piece("bc", -2, NORMAL)
                .piece("ab", -3, NORMAL)
                .piece("▁abc", -4, NORMAL)
                .piece("<|x|>", 0, USER_DEFINED)
                .piece("▁", -10, NORMAL)
                .piece("a", -11, NORMAL)
                .piece("b", -12, NORMAL)
                .piece("c", -13, NORMAL);
    }

    private static byte[] bytePairs(boolean prefix, boolean extra) {
        return pieces().message(2, new Protobuf().number(3, BPE).number(35, 1))
                .message(3, new Protobuf().number(3, prefix ? 1 : 0).number(4, extra ? 1 : 0))
                .toBytes();
    }

    private static Tokenizer open(Path folder, byte[] model, String config) throws IOException {
        Files.write(folder.resolve("tokenizer.model"), model);
        Files.writeString(folder.resolve("tokenizer_config.json"), config);
        return Tokenizer.open(folder);
    }

    private static int[] encode(Tokenizer tokenizer, String text) {
        return tokenizer.encode(text, false, AddedTokenMatch.ALL);
    }

    @Test
    void bestScoreIsJoinedFirst(@TempDir Path folder) throws IOException {
        Tokenizer tokenizer = open(folder, bytePairs(true, false), "{}");
        // ▁a joins first, then bc, then both.
        assertArrayEquals(new int[] {FIRST + 3}, encode(tokenizer, "abc"));
        assertArrayEquals(new int[] {FIRST + 5, FIRST}, encode(tokenizer, " a"));
        assertArrayEquals(new int[] {FIRST, FIRST + 2}, encode(tokenizer, "aab"));
        assertEquals("aab", tokenizer.decode(encode(tokenizer, "aab"), false));
    }

    @Test
    void unknownCharactersAreTheirBytes(@TempDir Path folder) throws IOException {
        Tokenizer tokenizer = open(folder, bytePairs(true, false), "{}");
        assertArrayEquals(
                new int[] {FIRST + 5, 3 + 0xC3, 3 + 0xA9, 3 + '<'}, encode(tokenizer, "é<"));
        assertEquals("é<", tokenizer.decode(encode(tokenizer, "é<"), false));
    }

    @Test
    void controlPiecesAreForTemplatesAndUserDefinedOnesForAll(@TempDir Path folder)
            throws IOException {
        Tokenizer tokenizer = open(folder, bytePairs(false, false), "{}");
        assertArrayEquals(new int[] {1, FIRST + 4, FIRST + 6}, encode(tokenizer, "<s><|x|>a"));
        int[] user = tokenizer.encode(java.util.List.of(Segment.user("<s><|x|>")), false);
        assertEquals(FIRST + 4, user[user.length - 1]);
        assertTrue(Arrays.stream(user).noneMatch(id -> id == 1), () -> Arrays.toString(user));
        assertTrue(tokenizer.isSpecial(1) && !tokenizer.isSpecial(FIRST + 4));
    }

    @Test
    void prefixAndExtraSpacesAreTheFilesChoice(@TempDir Path folder) throws IOException {
        Tokenizer plain = open(folder, bytePairs(false, false), "{}");
        assertArrayEquals(new int[] {FIRST + 6, FIRST + 5, FIRST}, encode(plain, "a  a"));
        Tokenizer tidy = open(folder, bytePairs(true, true), "{}");
        assertArrayEquals(new int[] {FIRST, FIRST}, encode(tidy, "  a   a "));
    }

    @Test
    void classSaysWhatStandsAroundATextUnlessTheConfigurationDoes(@TempDir Path folder)
            throws IOException {
        byte[] model = bytePairs(true, false);
        String llama = "{\"tokenizer_class\":\"LlamaTokenizer\"";
        assertArrayEquals(
                new int[] {1, FIRST},
                open(folder, model, llama + "}").encode("a", true, AddedTokenMatch.ALL));
        assertArrayEquals(
                new int[] {FIRST, 2},
                open(folder, model, llama + ",\"add_bos_token\":false,\"add_eos_token\":true}")
                        .encode("a", true, AddedTokenMatch.ALL));
        var error =
                assertThrows(
                        UnsupportedTokenizerException.class,
                        () -> open(folder, model, "{\"tokenizer_class\":\"XLMRobertaTokenizer\"}"));
        assertTrue(String.valueOf(error.getMessage()).contains("XLMRobertaTokenizer"));
    }

    @Test
    void tokensOfTheConfigurationJoinThePieces(@TempDir Path folder) throws IOException {
        Files.writeString(folder.resolve("added_tokens.json"), "{\"<pad>\":300}");
        Tokenizer tokenizer =
                open(
                        folder,
                        bytePairs(true, false),
                        "{\"added_tokens_decoder\":{\"301\":{\"content\":\"<|im|>\",\"special\":true}}}");
        assertArrayEquals(new int[] {301, 300}, encode(tokenizer, "<|im|><pad>"));
        assertEquals(302, tokenizer.vocabSize());
    }

    @Test
    void unigramsAgreeWithTheirTokenizerJson(@TempDir Path folder) throws IOException {
        Path suite = Suites.shared("suites/tokenizers/t5");
        JsonNode json = Suites.tree(suite.resolve("tokenizer.json"));
        var model = new Protobuf();
        for (JsonNode piece : json.path("model").path("vocab")) {
            String text = piece.path(0).asString("");
            int type =
                    switch (text) {
                        case "<unk>" -> UNKNOWN;
                        case "<pad>", "</s>" -> CONTROL;
                        default -> NORMAL;
                    };
            if (!text.startsWith("<extra_id_")) {
                model.piece(text, piece.path(1).doubleValue(), type);
            }
        }
        int unknown = json.path("model").path("unk_id").intValue();
        byte[] map =
                Base64.getDecoder()
                        .decode(json.path("normalizer").path("precompiled_charsmap").asString(""));
        model.message(2, new Protobuf().number(3, 1).number(40, unknown).number(42, 1));
        model.message(3, new Protobuf().bytes(2, map));
        Tokenizer tokenizer =
                open(folder, model.toBytes(), "{\"tokenizer_class\":\"T5Tokenizer\"}");
        Tokenizer reference = Tokenizer.open(suite);
        var random = new Random(9);
        String letters = "  abcdefg hijklmnopqrstuvwxyz ABC 123 .,;é";
        for (int round = 0; round < 500; round++) {
            var text = new StringBuilder();
            for (int i = random.nextInt(40); i >= 0; i--) {
                text.append(letters.charAt(random.nextInt(letters.length())));
            }
            assertArrayEquals(
                    reference.encode(text.toString(), true, AddedTokenMatch.NONE),
                    tokenizer.encode(text.toString(), true, AddedTokenMatch.NONE),
                    "seed 9, round " + round + ": " + text);
        }
    }

    @Test
    void hostileFilesAreRefusedWithAReason() {
        refuses("no pieces", new byte[0]);
        refuses("length beyond the end", new byte[] {0x0A, (byte) 0xFF, 0x7F});
        refuses("longer than ten bytes", bytes(0x20, 11));
        refuses("wire type", new Protobuf().number(1, 5).toBytes());
        refuses("type=9", new Protobuf().piece("a", 0, 9).toBytes());
        refuses("no number", new Protobuf().piece("a", Double.NaN, 1).toBytes());
        refuses(
                "not UTF-8",
                new Protobuf().message(1, new Protobuf().bytes(1, new byte[] {-1})).toBytes());
        refuses("model_type=7", pieces().message(2, new Protobuf().number(3, 7)).toBytes());
        refuses(
                "have one text",
                pieces().piece("a", 0, 1).message(2, new Protobuf().number(3, BPE)).toBytes());
        refuses(
                "unk_id=9999",
                pieces().message(2, new Protobuf().number(3, BPE).number(40, 9999)).toBytes());
        refuses("model_type=WORD", pieces().message(2, new Protobuf().number(3, 3)).toBytes());
        refuses(
                "whitespace_as_suffix",
                pieces().message(2, new Protobuf().number(24, 1)).toBytes());
        refuses("escape_whitespaces", pieces().message(3, new Protobuf().number(5, 0)).toBytes());
        refuses(
                "precompiled_charsmap",
                pieces().message(3, new Protobuf().bytes(2, new byte[] {1, 2, 3})).toBytes());
    }

    @Test
    void filesCutShortAreReadOrRefusedButNeverFailOtherwise() {
        byte[] whole = bytePairs(true, false);
        for (int length = 0; length < whole.length; length += 1 + length / 50) {
            byte[] part = Arrays.copyOf(whole, length);
            try {
                assertTrue(SentencePieceFile.parse(part).pieces().size() > 0);
            } catch (TokenizerFormatException e) {
                assertTrue(String.valueOf(e.getMessage()).contains("SentencePiece"), e::toString);
            }
        }
    }

    private static byte[] bytes(int first, int continuations) {
        var bytes = new byte[continuations + 1];
        Arrays.fill(bytes, (byte) 0xFF);
        bytes[0] = (byte) first;
        return bytes;
    }

    private static void refuses(String reason, byte[] model) {
        var error =
                assertThrows(
                        TokenizerFormatException.class,
                        () ->
                                SentencePieceTokenizer.read(
                                        SentencePieceFile.parse(model),
                                        java.util.List.of(),
                                        PostProcessor.NONE));
        assertTrue(String.valueOf(error.getMessage()).contains(reason), error::toString);
    }

    @Test
    void tooLargeFilesAreRefusedUnread(@TempDir Path folder) throws IOException {
        Path file = folder.resolve("big");
        Files.write(file, "0123456789".getBytes(StandardCharsets.UTF_8));
        assertEquals(10, TokenizerFolder.bytes(file, 10).length);
        var error =
                assertThrows(TokenizerFormatException.class, () -> TokenizerFolder.bytes(file, 9));
        assertTrue(String.valueOf(error.getMessage()).contains("bytes=10 limit=9"));
    }
}
