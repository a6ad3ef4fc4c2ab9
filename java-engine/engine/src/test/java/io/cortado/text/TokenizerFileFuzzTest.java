package io.cortado.text;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import com.code_intelligence.jazzer.junit.FuzzTest;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Any bytes as a {@code tokenizer.json}: they are refused, or make a tokenizer whose two ways to
 * encode agree and whose streams join to what it decodes.
 */
class TokenizerFileFuzzTest {
    private static final List<String> TEXTS =
            List.of("", "a b ab", "é\u0301日 <s>▁x", "  \n1 22 don't!", "\uD83D\uDE42\0\uFFFD");

    static Stream<byte[]> seeds() {
        String bpe = "'model':{'vocab':{'u':0,'a':1,'b':2,'ab':3,'▁':4},'merges':['a b'],";
        return Stream.of(
                        "{'model':{'vocab':{'a':0,'Ġ':1,'Ġa':2},'merges':[['Ġ','a']]},'pre_tokenizer':{'type':'ByteLevel'},'decoder':{'type':'ByteLevel'},'post_processor':{'type':'ByteLevel'}}",
                        "{"
                                + bpe
                                + "'unk_token':'u','fuse_unk':true,'byte_fallback':true},'normalizer':{'type':'Sequence','normalizers':[{'type':'Prepend','prepend':'▁'},{'type':'Replace','pattern':{'String':' '},'content':'▁'}]},'decoder':{'type':'Sequence','decoders':[{'type':'Replace','pattern':{'String':'▁'},'content':' '},{'type':'ByteFallback'},{'type':'Fuse'},{'type':'Strip','content':' ','start':1,'stop':0}]},'added_tokens':[{'id':9,'content':'<s>','normalized':true,'special':true,'lstrip':true,'rstrip':true,'single_word':true}]}",
                        "{"
                                + bpe
                                + "'unk_token':'u','end_of_word_suffix':'b','continuing_subword_prefix':''},'pre_tokenizer':{'type':'Sequence','pretokenizers':[{'type':'WhitespaceSplit'},{'type':'Metaspace','replacement':'▁','prepend_scheme':'first'},{'type':'Digits'},{'type':'Split','pattern':{'Regex':'\\\\p{L}+'},'behavior':'Contiguous','invert':true}]},'decoder':{'type':'BPEDecoder','suffix':'b'}}",
                        "{'model':{'unk_id':0,'byte_fallback':true,'vocab':[['<unk>',0],['a',-1],['ab',-1.5],['<0xC3>',-9]]},'normalizer':{'type':'NFKC'},'decoder':{'type':'Metaspace','replacement':'▁'},'pre_tokenizer':{'type':'UnicodeScripts'}}",
                        "{'model':{'type':'WordPiece','vocab':{'[UNK]':0,'a':1,'##b':2}},'normalizer':{'type':'BertNormalizer'},'pre_tokenizer':{'type':'BertPreTokenizer'},'decoder':{'type':'WordPiece'},'post_processor':{'type':'BertProcessing','sep':['x',1],'cls':['y',2]},'truncation':{'max_length':4,'strategy':'OnlyFirst','stride':0},'padding':{'strategy':{'Fixed':8},'pad_id':1}}",
                        "{'model':{'type':'WordLevel','vocab':{'u':0,'a':1},'unk_token':'u'},'pre_tokenizer':{'type':'FixedLength','length':1},'decoder':{'type':'CTC'},'normalizer':{'type':'Precompiled','precompiled_charsmap':'BAAAAAAAAAA='},'post_processor':{'type':'TemplateProcessing','single':[{'SpecialToken':{'id':'A'}},{'Sequence':{'id':'A'}}],'pair':[{'Sequence':{'id':'A'}},{'Sequence':{'id':'B','type_id':1}}],'special_tokens':{'A':{'ids':[1]}}}}")
                .map(json -> json.replace('\'', '"').getBytes(StandardCharsets.UTF_8));
    }

    @MethodSource("seeds")
    @FuzzTest
    void readsOrRefuses(byte[] data) {
        Tokenizer tokenizer;
        try {
            tokenizer = Tokenizer.parse(data);
        } catch (TokenizerFormatException refused) {
            return;
        }
        for (String text : TEXTS) {
            try {
                check(tokenizer, text);
            } catch (TokenizerFormatException | TextBudgetException refused) {
                // A file may lack the token for what it does not know.
            }
        }
    }

    private static void check(Tokenizer tokenizer, String text) {
        int[] ids = tokenizer.encode(text, true, AddedTokenMatch.ALL);
        if (!tokenizer.resizesRows()) {
            assertArrayEquals(
                    ids, tokenizer.encodeRow(text, null, true, AddedTokenMatch.ALL).ids());
        }
        tokenizer.encode(List.of(Segment.user(text), Segment.template(text)), false);
        var decoder = new StreamingDecoder(tokenizer, true);
        var joined = new StringBuilder();
        for (int id : ids) {
            joined.append(decoder.feed(id));
        }
        assertEquals(tokenizer.decode(ids, true), joined.append(decoder.flush()).toString());
    }
}
