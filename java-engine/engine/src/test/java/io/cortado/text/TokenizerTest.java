package io.cortado.text;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class TokenizerTest {
    private static final int A_B = 256;
    private static final int AB_AB = 257;
    private static final int END = 258;
    private static final int THINK = 259;

    private final Tokenizer tokenizer = TinyTokenizer.open();

    @Test
    void mergesByRankAndThenFromTheLeft() {
        assertArrayEquals(new int[] {AB_AB, A_B}, encode("ababab"));
        assertArrayEquals(new int[] {'a', A_B, 'b'}, encode("aabb"));
    }

    @Test
    void userTextNeverSpellsASpecialToken() {
        int[] ids =
                tokenizer.encode(List.of(Segment.user("<end>"), Segment.template("<end>")), false);
        assertEquals(END, ids[ids.length - 1]);
        assertEquals(1, IntStream.of(ids).filter(id -> id == END).count());
        assertEquals("<end><end>", tokenizer.decode(ids, false));
    }

    @Test
    void userTextSpellsPlainAddedTokensUnlessToldOtherwise() {
        var user = List.of(Segment.user("<think>"));
        assertArrayEquals(new int[] {THINK}, tokenizer.encode(user, false));
        assertEquals(7, tokenizer.encode(user, false, AddedTokenMatch.NONE).length);
    }

    @Test
    void specialTokenIsNotMintedAcrossABorderOfOrigins() {
        for (int cut = 1; cut < 5; cut++) {
            var user =
                    List.of(
                            Segment.user("<end>".substring(0, cut)),
                            Segment.template("<end>".substring(cut)));
            assertEquals(5, tokenizer.encode(user, false).length);
            var template =
                    List.of(
                            Segment.template("<end>".substring(0, cut)),
                            Segment.user("<end>".substring(cut)));
            assertEquals(5, tokenizer.encode(template, false).length);
        }
    }

    @Test
    void userTextCannotHideTheTemplatesTokenBehindAnOverlappingOne() {
        // <x<end> is a special token too; its beginning comes from the user, its end is the
        // template's <end>.
        int[] ids = tokenizer.encode(List.of(Segment.user("<x"), Segment.template("<end>")), false);
        assertArrayEquals(new int[] {'<', 'x', END}, ids);
    }

    @Test
    void pairWithoutATemplateIsOneTextAfterTheOther() {
        Encoding pair = tokenizer.encodeRow("a<end>", "b", true, AddedTokenMatch.ALL);
        // No merge runs over the border.
        assertArrayEquals(new int[] {'a', END, 'b'}, pair.ids());
        assertArrayEquals(new int[] {0, 0, 1}, pair.typeIds());
        assertArrayEquals(new int[] {0, 1, 1, 6, 0, 1}, pair.offsets());
        assertArrayEquals(
                new int[] {'a', 'b'},
                tokenizer.encodeRow("a", "b", false, AddedTokenMatch.NONE).ids());
    }

    @Test
    void wordsRunOverTheBordersOfSegments() {
        var pieces =
                List.of(
                        Segment.template("xa"),
                        Segment.user("b"),
                        Segment.user(""),
                        Segment.template("y"));
        assertArrayEquals(encode("xaby"), tokenizer.encode(pieces, false));
    }

    @Test
    void loneSurrogatesBecomeReplacementCharacters() {
        assertEquals("a\uFFFDb\uFFFD", tokenizer.decode(encode("a\uD83Db\uDE00"), false));
        assertEquals("\uD83D\uDE00", tokenizer.decode(encode("\uD83D\uDE00"), false));
    }

    @Test
    void randomTextComesBackWhole() {
        var random = new Random(7);
        for (int round = 0; round < 500; round++) {
            String text =
                    random.ints(random.nextInt(60), 0, 0x2_0000)
                            .filter(c -> c < 0xD800 || c > 0xDFFF)
                            .map(c -> c % 3 == 0 ? c % 128 : c)
                            .collect(
                                    StringBuilder::new,
                                    StringBuilder::appendCodePoint,
                                    StringBuilder::append)
                            .toString();
            assertEquals(text, tokenizer.decode(encode(text), false), "seed 7, round " + round);
        }
    }

    @Test
    void heapAndScanMergeAlike() {
        var table = new PairTable(64);
        var random = new Random(11);
        for (int rank = 0; rank < 60; rank++) {
            table.put(random.nextInt(4 + rank), random.nextInt(4 + rank), rank, 4 + rank);
        }
        for (int round = 0; round < 300; round++) {
            int[] word = random.ints(2 + random.nextInt(40), 0, 4).toArray();
            assertArrayEquals(
                    merged(word, table, false),
                    merged(word, table, true),
                    "seed 11, round " + round);
        }
    }

    /** The symbols and how many of the first ones each is made of. */
    private static int[] merged(int[] word, PairTable table, boolean byHeap) {
        int[] symbols = word.clone();
        var lengths = new int[word.length];
        Arrays.fill(lengths, 1);
        BitSet forbidden = WordModel.NOTHING;
        int left =
                byHeap
                        ? MergeQueue.mergeByHeap(symbols, lengths, word.length, table, forbidden)
                        : MergeQueue.mergeByScanning(
                                symbols, lengths, word.length, table, forbidden);
        return IntStream.concat(
                        IntStream.of(symbols).limit(left), IntStream.of(lengths).limit(left))
                .toArray();
    }

    @Test
    void longRunsOfOneCharacterAreNotAProblem() {
        for (String unit : List.of("a", " ", "7", "\n", "ab", "é", "!", "\u0301")) {
            String text = unit.repeat(1_000_000 / unit.length());
            assertEquals(text, tokenizer.decode(encode(text), false), unit);
        }
    }

    @Test
    void idsOutsideTheVocabularyAreRefused() {
        for (int id : new int[] {-1, tokenizer.vocabSize(), Integer.MAX_VALUE}) {
            var error =
                    assertThrows(
                            IllegalArgumentException.class,
                            () -> tokenizer.decode(new int[] {id}, false));
            assertTrue(String.valueOf(error.getMessage()).contains("id=" + id), error::toString);
        }
    }

    @Test
    void tokensAreFoundByTextAndId() {
        assertEquals(END, tokenizer.idOf("<end>").orElse(-1));
        assertTrue(tokenizer.idOf("nothing").isEmpty());
        assertTrue(tokenizer.isSpecial(END));
        assertEquals("<think>", tokenizer.tokenText(THINK));
        assertEquals("", tokenizer.decode(new int[] {END}, true));
    }

    private int[] encode(String text) {
        return tokenizer.encode(text, false, AddedTokenMatch.ALL);
    }
}
