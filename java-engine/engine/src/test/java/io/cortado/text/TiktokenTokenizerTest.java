package io.cortado.text;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.Random;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class TiktokenTokenizerTest {
    private static final PreTokenization WORDS = PreTokenization.named("gpt-2");

    /** All bytes, then the given tokens. */
    static byte[] file(List<String> tokens) {
        String bytes =
                IntStream.range(0, 256)
                        .mapToObj(b -> line(new byte[] {(byte) b}, b))
                        .collect(Collectors.joining());
        String rest =
                IntStream.range(0, tokens.size())
                        .mapToObj(
                                i -> line(tokens.get(i).getBytes(StandardCharsets.UTF_8), 256 + i))
                        .collect(Collectors.joining());
        return (bytes + rest).getBytes(StandardCharsets.US_ASCII);
    }

    private static String line(byte[] token, int rank) {
        return Base64.getEncoder().encodeToString(token) + " " + rank + "\n";
    }

    @Test
    void lowestRankIsJoinedFirstAndWholeWordsAreFound() {
        Tokenizer tokenizer =
                Tokenizer.parseTiktoken(file(List.of("bc", "ab", "abcd", "xyz")), WORDS);
        assertArrayEquals(new int[] {'a', 256}, encode(tokenizer, "abc"));
        assertArrayEquals(new int[] {258}, encode(tokenizer, "abcd"));
        // No two of its parts are tokens, but the word is.
        assertArrayEquals(new int[] {259}, encode(tokenizer, "xyz"));
        assertEquals("abcxyz é", tokenizer.decode(encode(tokenizer, "abcxyz é"), false));
    }

    @Test
    void scanAndHeapMergeAsThePlainAlgorithmDoes() {
        var random = new Random(12);
        for (int round = 0; round < 60; round++) {
            var tokens = new ArrayList<String>();
            while (tokens.size() < 40) {
                String token = letters(random, 2 + random.nextInt(4));
                if (!tokens.contains(token)) {
                    tokens.add(token);
                }
            }
            Tokenizer tokenizer = Tokenizer.parseTiktoken(file(tokens), WORDS);
            for (int length : new int[] {1, 2, 5, 30, 63, 64, 65, 66, 200}) {
                String word = letters(random, length);
                assertArrayEquals(
                        simple(word, tokens),
                        encode(tokenizer, word),
                        "seed 12, round " + round + ": " + word);
            }
        }
    }

    private static String letters(Random random, int length) {
        return random.ints(length, 'a', 'd')
                .collect(StringBuilder::new, StringBuilder::appendCodePoint, StringBuilder::append)
                .toString();
    }

    private static int[] simple(String word, List<String> tokens) {
        if (tokens.contains(word)) {
            return new int[] {256 + tokens.indexOf(word)};
        }
        var parts = new ArrayList<>(Arrays.asList(word.split("")));
        while (true) {
            int best = -1;
            int bestRank = Integer.MAX_VALUE;
            for (int i = 0; i + 1 < parts.size(); i++) {
                int rank = tokens.indexOf(parts.get(i) + parts.get(i + 1));
                if (rank >= 0 && rank < bestRank) {
                    best = i;
                    bestRank = rank;
                }
            }
            if (best < 0) {
                break;
            }
            parts.set(best, parts.get(best) + parts.remove(best + 1));
        }
        return parts.stream()
                .mapToInt(p -> p.length() == 1 ? p.charAt(0) : 256 + tokens.indexOf(p))
                .toArray();
    }

    @Test
    void familyIsToldByNameElseByTheNumberOfRanks() {
        assertEquals(TiktokenFamily.QWEN, TiktokenFamily.of("qwen.tiktoken", 300));
        assertEquals(TiktokenFamily.KIMI, TiktokenFamily.of("tiktoken.model kimi_k2", 300));
        assertEquals(TiktokenFamily.LLAMA3, TiktokenFamily.of("tokenizer.model", 128_000));
        assertEquals(TiktokenFamily.GLM4, TiktokenFamily.of("tokenizer.model chatglm", 300));
        var error =
                assertThrows(
                        UnsupportedTokenizerException.class,
                        () -> TiktokenFamily.of("tokenizer.model", 300));
        assertTrue(String.valueOf(error.getMessage()).contains("ranks=300"), error::toString);
    }

    @Test
    void controlTokensAreThoseOfTheFamily() {
        Tokenizer tokenizer = Tokenizer.parseTiktoken(file(List.of()), "qwen");
        assertArrayEquals(
                new int[] {257, 'a', 258},
                tokenizer.encode("<|im_start|>a<|im_end|>", false, AddedTokenMatch.ALL));
        assertTrue(tokenizer.isSpecial(256 + 3 + 204));
        Tokenizer llama = Tokenizer.parseTiktoken(file(List.of()), "llama");
        assertArrayEquals(new int[] {256, 'a'}, llama.encode("a", true, AddedTokenMatch.NONE));
        assertEquals(265, llama.idOf("<|eot_id|>").orElse(-1));
    }

    @Test
    void hostileFilesAreRefusedWithALine() {
        String good = new String(file(List.of()), StandardCharsets.US_ASCII);
        refuses("line 257: a line must be", good + "abcd");
        refuses("line 257: rank must be a whole number", good + "YWI= x\n");
        refuses("line 257: rank must be a whole number", good + "YWI= -1\n");
        refuses("line 257: rank must be a whole number", good + "YWI= 1 2\n");
        refuses("line 257: rank must be in", good + "YWI= 99999999999999999999\n");
        refuses("line 257: rank leaves too many holes", good + "YWI= 16000000\n");
        refuses("line 257: two tokens have one rank", good + "YWI= 3\n");
        refuses("line 257: token is not base64", good + "Y@I= 256\n");
        refuses("line 257: token longer", good + "YWFh".repeat(400) + " 256\n");
        refuses("the same bytes", good + "YQ== 256\n");
        refuses("lacks one of the 256 bytes: byte=255", good.substring(0, good.indexOf("/w==")));
    }

    private static void refuses(String reason, String content) {
        var error =
                assertThrows(
                        TokenizerFormatException.class,
                        () ->
                                Tokenizer.parseTiktoken(
                                        content.getBytes(StandardCharsets.US_ASCII), WORDS));
        assertTrue(String.valueOf(error.getMessage()).contains(reason), error::toString);
    }

    private static int[] encode(Tokenizer tokenizer, String text) {
        return tokenizer.encode(text, false, AddedTokenMatch.NONE);
    }
}
