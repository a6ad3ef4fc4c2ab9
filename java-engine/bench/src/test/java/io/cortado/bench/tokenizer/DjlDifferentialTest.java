package io.cortado.bench.tokenizer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.abort;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.cortado.text.AddedTokenMatch;
import io.cortado.text.Tokenizer;
import io.cortado.text.UnsupportedTokenizerException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Random Unicode through our tokenizer and through Hugging Face's, by DJL's native library. */
class DjlDifferentialTest {
    private static final long SEED = 20_261_128;
    private static final String FREQUENT =
            "aAbBeEsStTnNiIoO''\"  \t\n\r0123456789.,;:!?-_/\\()[]{}<>@#$%&*+=~^|`éßñøçÄäαβΩжЯшאבعبक्षमी你好世界漢字ひらカタ한국어🙂🎉\u0301\u0308\u200B\u200D\u00A0\u3000\u2028ſK";

    /** A text of frequent characters, words, runs and any code points assigned long ago. */
    static String text(Random random) {
        var text = new StringBuilder();
        int[] frequent = FREQUENT.codePoints().toArray();
        for (int part = random.nextInt(30); part >= 0; part--) {
            switch (random.nextInt(8)) {
                case 0 -> text.append(" the").append(random.nextBoolean() ? "n" : "'S ");
                case 1 ->
                        text.append(" ".repeat(random.nextInt(5))).append(random.nextInt(100_000));
                case 2 ->
                        text.appendCodePoint(frequent[random.nextInt(frequent.length)])
                                .repeat(
                                        frequent[random.nextInt(frequent.length)],
                                        random.nextInt(6));
                case 3 -> text.appendCodePoint(anyOld(random));
                default -> text.appendCodePoint(frequent[random.nextInt(frequent.length)]);
            }
        }
        return text.toString();
    }

    /**
     * DJL's library has the tables of an older Unicode, so characters come from blocks that were
     * full by then.
     */
    private static int anyOld(Random random) {
        int[][] ranges = {
            {0x20, 0x7E},
            {0xA0, 0x24F},
            {0x370, 0x373},
            {0x391, 0x3A1},
            {0x400, 0x481},
            {0x5D0, 0x5EA},
            {0x621, 0x64A},
            {0x905, 0x939},
            {0xE01, 0xE3A},
            {0x10A0, 0x10C5},
            {0x1100, 0x1159},
            {0x1E00, 0x1E9B},
            {0x2010, 0x2027},
            {0x2030, 0x205E},
            {0x2200, 0x22FF},
            {0x3041, 0x3096},
            {0x30A1, 0x30FA},
            {0x4E00, 0x9FA5},
            {0xAC00, 0xD7A3},
            {0xFF01, 0xFF5E},
            {0x1F600, 0x1F64F},
            {0x20000, 0x2A6D6}
        };
        int[] range = ranges[random.nextInt(ranges.length)];
        return range[0] + random.nextInt(range[1] - range[0] + 1);
    }

    @ParameterizedTest
    @MethodSource("patterns")
    void generatedVocabulariesAreUsedAlike(String pattern) {
        byte[] json = HuggingFaceJson.of(vocabulary(new Random(SEED)), pattern);
        compare(json, 1500, "generated, " + pattern);
    }

    static Stream<String> patterns() {
        String words = "[^\\r\\n\\p{L}\\p{N}]?";
        return Stream.of(
                "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
                "(?i:'s|'t|'re|'ve|'m|'ll|'d)|"
                        + words
                        + "\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
                words
                        + "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+",
                "[\\p{Han}&&[^一-三]]+|\\d{1,3}(?=(?:\\d{3})*\\b)|\\s+$|\\w++|(?i:[k-s]+)",
                "(?:\\r?\\n)+(?!\\r?\\n)|[^(\\s|[.,!?…])]+?[,.]|\\p{Lu}\\p{Ll}*");
    }

    /** All bytes, and tokens made of earlier ones. */
    private static List<byte[]> vocabulary(Random random) {
        var tokens = new ArrayList<byte[]>();
        for (int b = 0; b < 256; b++) {
            tokens.add(new byte[] {(byte) b});
        }
        byte[] sample =
                Stream.generate(() -> text(random))
                        .limit(400)
                        .reduce("", String::concat)
                        .getBytes(java.nio.charset.StandardCharsets.UTF_8);
        var seen = new java.util.HashSet<String>();
        while (tokens.size() < 1500) {
            int start = random.nextInt(sample.length - 8);
            byte[] token = Arrays.copyOfRange(sample, start, start + 2 + random.nextInt(5));
            if (seen.add(Arrays.toString(token))) {
                tokens.add(token);
            }
        }
        return tokens;
    }

    @Test
    void familiesOfTheSuiteAreUsedAlike() throws IOException {
        Path suite = suite();
        int families = 0;
        try (Stream<Path> folders = Files.list(suite)) {
            for (Path folder : folders.sorted().toList()) {
                Path file = folder.resolve("tokenizer.json");
                if (Files.isRegularFile(file)) {
                    families++;
                    compare(Files.readAllBytes(file), 300, String.valueOf(folder.getFileName()));
                }
            }
        }
        assertEquals(true, families > 0, "no family in " + suite);
    }

    private static Path suite() {
        Path home = Path.of(System.getProperty("user.dir", ".")).toAbsolutePath();
        for (Path folder = home; folder != null; folder = folder.getParent()) {
            Path candidate = folder.resolve("shared/suites/tokenizers");
            if (Files.isDirectory(candidate)) {
                return candidate;
            }
        }
        assumeTrue(false, "shared/suites/tokenizers is not beside the project: " + home);
        return home;
    }

    private static void compare(byte[] json, int texts, String what) {
        Tokenizer ours;
        try {
            ours = Tokenizer.parse(json);
        } catch (UnsupportedTokenizerException e) {
            throw new AssertionError(what, e);
        }
        try (DjlPeer djl = DjlPeer.open(json)) {
            var random = new Random(SEED);
            for (int round = 0; round < texts; round++) {
                String text = text(random);
                String label = what + ", seed " + SEED + ", round " + round + ": " + text;
                int[] ids = ours.encode(text, false, AddedTokenMatch.ALL);
                assertArrayEquals(djl.encode(text), ids, label);
                assertEquals(djl.decode(ids), ours.decode(ids, false), label);
            }
        } catch (PeerUnavailableException e) {
            abort(String.valueOf(e.getMessage()));
        }
    }
}
