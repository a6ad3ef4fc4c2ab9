package io.cortado.text;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Decoders by themselves. The expected texts are those of Hugging Face tokenizers 0.23.2. */
class DecoderTest {
    private static final String SENTENCE_PIECE =
            "{'type':'Sequence','decoders':[{'type':'Replace','pattern':{'String':'▁'},'content':' '},"
                    + "{'type':'ByteFallback'},{'type':'Fuse'},"
                    + "{'type':'Strip','content':' ','start':1,'stop':1}]}";

    static Stream<Arguments> cases() {
        String metaspace = "{'type':'Metaspace','replacement':'▁','prepend_scheme':";
        return Stream.of(
                Arguments.of(
                        "{'type':'BPEDecoder','suffix':'</w>'}",
                        List.of("he", "llo</w>", "wor", "ld</w>"),
                        "hello world"),
                Arguments.of(
                        "{'type':'CTC','pad_token':'<pad>','word_delimiter_token':'|','cleanup':true}",
                        List.of("h", "h", "<pad>", "e", "|", "|", "y", " ."),
                        "he y."),
                Arguments.of(
                        "{'type':'WordPiece','prefix':'##','cleanup':true}",
                        List.of("I", "do", "n't", "##know", "."),
                        "I don'tknow."),
                Arguments.of(
                        "{'type':'WordPiece','prefix':'##','cleanup':false}",
                        List.of("##a", "b", "##c"),
                        "##a bc"),
                Arguments.of(
                        "{'type':'Strip','content':' ','start':1,'stop':2}",
                        List.of("  a ", "b   "),
                        " ab "),
                Arguments.of(
                        "{'type':'ByteFallback'}",
                        List.of("a", "<0xE2>", "<0x82>", "<0xAC>", "<0xE2>", "b", "<0x41>"),
                        "a\uFFFD\uFFFD\uFFFD\uFFFDbA"),
                Arguments.of(metaspace + "'always','split':true}", List.of("▁a▁b", "▁c"), "ab c"),
                Arguments.of(metaspace + "'never','split':true}", List.of("▁a", "▁c"), " a c"),
                Arguments.of(
                        SENTENCE_PIECE,
                        List.of("▁▁a", "<0xF0>", "<0x9F>", "<0x99>", "<0x82>", "▁b▁▁"),
                        " a🙂 b "),
                Arguments.of(
                        "{'type':'Sequence','decoders':[{'type':'Fuse'},"
                                + "{'type':'Replace','pattern':{'String':'ab'},'content':'-'}]}",
                        List.of("xa", "ba", "b"),
                        "x--"),
                Arguments.of(
                        "{'type':'ByteLevel'}", List.of("Ã", "©", "naïve", "日"), "éna\uFFFDve日"),
                Arguments.of("null", List.of("a", "b"), "a b"));
    }

    @ParameterizedTest
    @MethodSource("cases")
    void givesTheReferencesText(String json, List<String> tokens, String expected) {
        var text = new StringBuilder();
        TokenStream stream = DecoderFile.read(Json.of(json)).open(text);
        tokens.forEach(token -> stream.accept(token, true));
        stream.finish();
        assertEquals(expected, text.toString());
    }

    @Test
    void runOfBytesIsHeldUntilItEnds() {
        var text = new StringBuilder();
        TokenStream stream = DecoderFile.read(Json.of(SENTENCE_PIECE)).open(text);
        stream.accept("▁a", true);
        assertEquals("a", text.toString());
        assertFalse(stream.holdsText());
        stream.accept("<0x7B>", true);
        assertEquals("a", text.toString());
        assertTrue(stream.holdsText());
        stream.accept("<0xE0>", true);
        stream.accept("b", true);
        assertEquals("a\uFFFD\uFFFDb", text.toString());
    }

    @Test
    void tokensHaveTheirBytesInTheMiddleOfAText() {
        Decoder decoder = DecoderFile.read(Json.of(SENTENCE_PIECE));
        assertEquals(
                " a▁".replace('▁', ' '), new String(decoder.bytes("▁a▁"), StandardCharsets.UTF_8));
        assertEquals(1, decoder.bytes("<0xE2>").length);
        assertEquals(
                " b",
                new String(
                        DecoderFile.read(Json.of("{'type':'WordPiece','prefix':'##'}")).bytes("b"),
                        StandardCharsets.UTF_8));
    }
}
