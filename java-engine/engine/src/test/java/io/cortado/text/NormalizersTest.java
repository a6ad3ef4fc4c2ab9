package io.cortado.text;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.text.Normalizer.Form;
import java.util.Random;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Normalizers by themselves. The expected texts are those of Hugging Face tokenizers 0.23.2. */
class NormalizersTest {
    static Stream<Arguments> cases() {
        String bert = "{'type':'BertNormalizer','clean_text':true,'handle_chinese_chars':true,";
        return Stream.of(
                Arguments.of("{'type':'NFD'}", "é각", "e\u0301\u1100\u1161\u11A8"),
                Arguments.of("{'type':'NFKC'}", "ﬁ①\u0897", "fi1\u0897"),
                Arguments.of("{'type':'NFKD'}", "Å\u212B㋿", "A\u030AA\u030A㋿"),
                Arguments.of("{'type':'StripAccents'}", "e\u0301\u0903x\u1ABF", "ex\u1ABF"),
                Arguments.of(
                        "{'type':'Strip','strip_left':true,'strip_right':false}",
                        "\u00A0 a ",
                        "a "),
                Arguments.of("{'type':'Nmt'}", "a\u0001\u200Bb▁\u0085", "a b \u0085"),
                Arguments.of(
                        bert + "'strip_accents':null,'lowercase':true}",
                        "É\0日\tX\u200D\u0301",
                        "e 日  x"),
                Arguments.of(bert + "'strip_accents':false,'lowercase':true}", "É日", "é 日 "),
                Arguments.of("{'type':'ByteLevel'}", "é ", "Ã©Ġ"),
                Arguments.of("{'type':'Lowercase'}", "ΣΟΦΟΣ İ", "σοφος i\u0307".replace('ς', 'σ')),
                Arguments.of(
                        "{'type':'Replace','pattern':{'Regex':'\\\\s+'},'content':'_'}",
                        "a  b\u3000c",
                        "a_b_c"),
                Arguments.of("{'type':'Prepend','prepend':'▁'}", "", ""),
                Arguments.of("{'type':'Prepend','prepend':'▁'}", "a", "▁a"));
    }

    @ParameterizedTest
    @MethodSource("cases")
    void givesTheReferencesText(String json, String text, String expected) {
        Normalizer normalizer = NormalizerFile.read(Json.of(json));
        assertEquals(expected, normalizer.normalize(text));
        assertEquals(expected, normalizer.normalize(AlignedText.original(text, 0)).text());
    }

    @Test
    void formsAreTheSameWithAndWithoutPlaces() {
        String marks = "\u0301\u0323\u0345\u0334\u05B0\u064B\u0F71\u0F74\u302A\u3099\u1DCE\u0897";
        String bases = "aeoÅ한각\u1100\u1161\u11A8ﬁ①か\u0F71ǆ\u09C7\u09BE";
        var random = new Random(5);
        for (int round = 0; round < 2000; round++) {
            var text = new StringBuilder();
            for (int i = random.nextInt(12); i > 0; i--) {
                String from = random.nextInt(3) == 0 ? bases : marks;
                text.append(from.charAt(random.nextInt(from.length())));
            }
            for (Form form : Form.values()) {
                var normalizer = new UnicodeForm(form);
                assertEquals(
                        normalizer.normalize(text.toString()),
                        normalizer.normalize(AlignedText.original(text.toString(), 0)).text(),
                        "seed 5, round " + round);
            }
        }
    }

    @Test
    void whatComposesStandsForItsFirstCharacter() {
        AlignedText composed =
                new UnicodeForm(Form.NFC).normalize(AlignedText.original("xe\u0301y", 3));
        assertEquals("xéy", composed.text());
        assertArrayEquals(
                new int[] {3, 4, 6}, IntStream.range(0, 3).map(composed::start).toArray());
        assertArrayEquals(new int[] {4, 5, 7}, IntStream.range(0, 3).map(composed::end).toArray());
    }
}
