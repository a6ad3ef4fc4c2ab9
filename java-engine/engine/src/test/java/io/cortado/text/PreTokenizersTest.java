package io.cortado.text;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Pre-tokenizers by themselves. The expected words are those of Hugging Face tokenizers 0.23.2. */
class PreTokenizersTest {
    static Stream<Arguments> cases() {
        String metaspace = "{'type':'Metaspace','replacement':'▁',";
        String punctuation = "{'type':'Punctuation','behavior':";
        return Stream.of(
                Arguments.of(
                        "{'type':'UnicodeScripts'}",
                        "  abc日本カー語 Привет",
                        "abc@2-5 日本カー語 @5-11 Привет@11-17"),
                Arguments.of("{'type':'FixedLength','length':2}", "a🙂bcd", "a🙂@0-2 bc@2-4 d@4-5"),
                Arguments.of(
                        "{'type':'CharDelimiterSplit','delimiter':'-'}", "a--b-", "a@0-1 b@3-4"),
                Arguments.of("{'type':'Whitespace'}", "Hi, you²!", "Hi@0-2 ,@2-3 you@4-7 ²!@7-9"),
                Arguments.of(
                        "{'type':'Split','pattern':{'Regex':'\\\\w+|[^\\\\w\\\\s]+'},'behavior':'Removed','invert':true}",
                        "a² >² ½",
                        "a²@0-2 >²@3-5 ½@6-7"),
                Arguments.of(
                        "{'type':'BertPreTokenizer'}", "Hey, you$", "Hey@0-3 ,@3-4 you@5-8 $@8-9"),
                Arguments.of(
                        metaspace + "'prepend_scheme':'always','split':true}",
                        " a  b",
                        "▁a@0-2 ▁@2-3 ▁b@3-5"),
                Arguments.of(
                        metaspace + "'prepend_scheme':'never','split':true}",
                        "a b",
                        "a@0-1 ▁b@1-3"),
                Arguments.of(
                        metaspace + "'prepend_scheme':'first','split':false}", "a b", "▁a▁b@0-3"),
                Arguments.of(metaspace + "'add_prefix_space':true}", "a b", "▁a@0-1 ▁b@1-3"),
                Arguments.of(
                        "{'type':'Sequence','pretokenizers':[{'type':'WhitespaceSplit'},"
                                + metaspace
                                + "'prepend_scheme':'first','split':true}]}",
                        "a b",
                        "▁a@0-1 b@2-3"),
                Arguments.of(punctuation + "'MergedWithPrevious'}", "a,,b", "a,@0-2 ,@2-3 b@3-4"),
                Arguments.of(punctuation + "'MergedWithNext'}", "a,,b", "a@0-1 ,@1-2 ,b@2-4"),
                Arguments.of(punctuation + "'Contiguous'}", "a,,b", "a@0-1 ,,@1-3 b@3-4"),
                Arguments.of(punctuation + "'Removed'}", "a,,b", "a@0-1 b@3-4"),
                Arguments.of(
                        "{'type':'Split','pattern':{'String':'b'},'behavior':'Removed','invert':true}",
                        "abcb",
                        "b@1-2 b@3-4"),
                Arguments.of(
                        "{'type':'Digits','individual_digits':false}",
                        "a12½b",
                        "a@0-1 12½@1-4 b@4-5"));
    }

    @ParameterizedTest
    @MethodSource("cases")
    void cutsAsTheReferenceDoes(String json, String text, String expected) {
        List<PreTokenization.Word> words =
                PreTokenization.parse(Json.of(json).toString().getBytes(StandardCharsets.UTF_8))
                        .split(text);
        assertEquals(
                expected,
                String.join(
                        " ",
                        words.stream()
                                .map(w -> w.spelling() + "@" + w.start() + "-" + w.end())
                                .toList()));
    }
}
