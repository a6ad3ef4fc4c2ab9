package io.cortado.text;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Random;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Models by themselves. The expected tokens are those of Hugging Face tokenizers 0.23.2. */
class ModelsTest {
    private static final String CLIP =
            "{'type':'BPE','dropout':null,'unk_token':'<unk>','continuing_subword_prefix':'',"
                    + "'end_of_word_suffix':'</w>','fuse_unk':false,'vocab':{'<unk>':0,'a':1,'b':2,"
                    + "'a</w>':3,'b</w>':4,'ab</w>':5},'merges':['a b</w>']}";
    private static final String PREFIXED =
            "{'type':'BPE','unk_token':'<unk>','continuing_subword_prefix':'##','vocab':{'<unk>':0,"
                    + "'a':1,'b':2,'##a':3,'##b':4,'ab':5,'##ab':6},"
                    + "'merges':['#version: 0.2','a ##b','##a ##b']}";
    private static final String SOME_BYTES =
            "{'type':'BPE','unk_token':'<unk>','byte_fallback':true,'fuse_unk':true,"
                    + "'vocab':{'<unk>':0,'a':1,'<0xC3>':2,'<0xA9>':3},'merges':[]}";
    private static final String UNIGRAM =
            "{'unk_id':0,'byte_fallback':false,'vocab':[['<unk>',0],['</s>',0],['a',-1],['b',-1.5],"
                    + "['ab',-2.0],['<0xC3>',-5],['<0xA9>',-5]]}";
    private static final String WORD_PIECE =
            "{'type':'WordPiece','unk_token':'[UNK]','continuing_subword_prefix':'##',"
                    + "'max_input_chars_per_word':5,"
                    + "'vocab':{'[UNK]':0,'un':1,'##aff':2,'##able':3,'a':4}}";
    private static final String NO_UNKNOWN =
            "{'type':'BPE','vocab':{'a':0,'b':1,'ab':2},'merges':[['a','b']]}";

    static Stream<Arguments> cases() {
        return Stream.of(
                Arguments.of(CLIP, "ab", "5@0-2"),
                Arguments.of(CLIP, "aab", "1@0-1 5@1-3"),
                Arguments.of(CLIP, "ba", "2@0-1 3@1-2"),
                Arguments.of(CLIP, "a☃☃b", "1@0-1 0@1-2 0@2-3 4@3-4"),
                Arguments.of(
                        CLIP.replace("'fuse_unk':false", "'fuse_unk':true"),
                        "a☃☃b",
                        "1@0-1 0@1-3 4@3-4"),
                Arguments.of(PREFIXED, "ab", "5@0-2"),
                Arguments.of(PREFIXED, "bab", "2@0-1 6@1-3"),
                // What is dropped leaves its neighbours to each other, and shifts the places.
                Arguments.of(NO_UNKNOWN, "a☃b", "2@0-2"),
                Arguments.of(SOME_BYTES, "a日éa", "1@0-1 2@1-2 3@1-2 0@1-3 1@3-4"),
                Arguments.of(UNIGRAM, "aab", "2@0-1 4@1-3"),
                Arguments.of(UNIGRAM, "☃☃a☃", "0@0-2 2@2-3 0@3-4"),
                Arguments.of(UNIGRAM, "a</s>", "2@0-1 1@1-5"),
                Arguments.of(UNIGRAM, "éa", "0@0-1 2@1-2"),
                Arguments.of(
                        UNIGRAM.replace("'byte_fallback':false", "'byte_fallback':true"),
                        "éaé",
                        "5@0-1 6@0-1 2@1-2 5@2-3 6@2-3"),
                Arguments.of(WORD_PIECE, "unaff", "1@0-2 2@2-5"),
                Arguments.of(WORD_PIECE, "una", "0@0-3"),
                Arguments.of(WORD_PIECE, "unaffa", "0@0-6"),
                Arguments.of(WORD_PIECE, "a", "4@0-1"),
                Arguments.of(
                        "{'type':'WordLevel','vocab':{'[UNK]':0,'hi':1},'unk_token':'[UNK]'}",
                        "hi",
                        "1@0-2"));
    }

    @ParameterizedTest
    @MethodSource("cases")
    void givesTheReferencesTokens(String model, String text, String expected) {
        Tokenizer tokenizer = Json.tokenizer(model, "");
        Encoding row = tokenizer.encodeRow(text, null, false, AddedTokenMatch.ALL);
        var found = new StringBuilder();
        for (int i = 0; i < row.ids().length; i++) {
            found.append(i == 0 ? "" : " ")
                    .append(row.ids()[i])
                    .append('@')
                    .append(row.offsets()[2 * i])
                    .append('-')
                    .append(row.offsets()[2 * i + 1]);
        }
        assertEquals(expected, found.toString());
        assertArrayEquals(row.ids(), tokenizer.encode(text, false, AddedTokenMatch.ALL));
    }

    @Test
    void userTextNeverBecomesASpecialPieceOfTheModel() {
        String added = "'added_tokens':[{'id':1,'content':'</s>','special':true}]";
        Tokenizer tokenizer = Json.tokenizer(UNIGRAM, added);
        assertArrayEquals(
                new int[] {2, 0, 1},
                tokenizer.encode(List.of(Segment.user("a</s>"), Segment.template("</s>")), false));
        String whole =
                "{'type':'BPE','ignore_merges':true,'unk_token':'u','vocab':{'u':0,'<':1,'s':2,'>':3,"
                        + "'<s>':4},'merges':[]}";
        Tokenizer ignoring =
                Json.tokenizer(whole, added.replace("'</s>'", "'<s>'").replace(":1,", ":4,"));
        assertArrayEquals(
                new int[] {1, 2, 3}, ignoring.encode(List.of(Segment.user("<s>")), false));
        assertArrayEquals(new int[] {4}, ignoring.encode(List.of(Segment.template("<s>")), false));
    }

    @Test
    void templatesNormalizedTokenIsFoundBesideUserText() {
        String model =
                "{'type':'BPE','unk_token':'u','vocab':{'u':0,'▁':1,'<s>':2,'a':3,'<':4,'s':5,'>':6},"
                        + "'merges':[]}";
        Tokenizer tokenizer =
                Json.tokenizer(
                        model,
                        "'normalizer':{'type':'Prepend','prepend':'▁'},'added_tokens':[{'id':2,"
                                + "'content':'<s>','normalized':true,'special':true}]");
        assertArrayEquals(
                new int[] {2, 3, 4, 5, 6},
                tokenizer.encode(List.of(Segment.template("<s>"), Segment.user("a<s>")), false));
        assertArrayEquals(
                new int[] {1, 4, 5, 6, 3},
                tokenizer.encode(List.of(Segment.user("<s>"), Segment.template("a")), false));
    }

    @Test
    void cuttingAWholeTextChangesNothing() {
        String letters = "ab▁cd☃";
        String bytes =
                java.util.stream.IntStream.range(0, 256)
                        .mapToObj(b -> String.format("'<0x%02X>':%d", b, 20 + b))
                        .collect(Collectors.joining(","));
        Tokenizer tokenizer =
                Json.tokenizer(
                        "{'type':'BPE','unk_token':'u','fuse_unk':true,'byte_fallback':true,'vocab':"
                                + "{'u':0,'a':1,'b':2,'▁':3,'c':4,'d':5,'▁a':6,'ab':7,'▁ab':8,'cd':9,"
                                + "'▁▁':10,'dc':11,"
                                + bytes
                                + "},'merges':['▁ a','a b','▁ ab','▁a b','c d','▁ ▁','d c']}",
                        "");
        var random = new Random(3);
        for (int round = 0; round < 500; round++) {
            String text =
                    random.ints(random.nextInt(40), 0, letters.length())
                            .mapToObj(i -> String.valueOf(letters.charAt(i)))
                            .collect(Collectors.joining());
            assertArrayEquals(
                    tokenizer.encodeRow(text, null, false, AddedTokenMatch.ALL).ids(),
                    tokenizer.encode(text, false, AddedTokenMatch.ALL),
                    "seed 3, round " + round + ": " + text);
        }
    }

    @Test
    void missingUnknownTokenIsRefusedWhereItIsNeeded() {
        Tokenizer tokenizer =
                Json.tokenizer("{'type':'WordLevel','vocab':{'a':0},'unk_token':'x'}", "");
        assertArrayEquals(new int[] {0}, tokenizer.encode("a", false, AddedTokenMatch.ALL));
        var error =
                assertThrows(
                        TokenizerFormatException.class,
                        () -> tokenizer.encode("b", false, AddedTokenMatch.ALL));
        assertTrue(String.valueOf(error.getMessage()).contains("text=b"), error::toString);
    }
}
