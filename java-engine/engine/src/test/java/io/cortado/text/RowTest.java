package io.cortado.text;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** Templates, truncation and padding, as Hugging Face tokenizers 0.23.2 has them. */
class RowTest {
    private static final String MODEL =
            "{'type':'WordLevel','unk_token':'u','vocab':{'u':0,'a':1,'b':2,'C':8,'S':9}}";
    private static final String BERT =
            "'post_processor':{'type':'BertProcessing','sep':['S',9],'cls':['C',8]}";
    private static final String TRUNCATION =
            ",'truncation':{'direction':'Right','max_length':6,'strategy':'LongestFirst','stride':0}";

    @Test
    void bertPutsItsTokensAroundOneTextAndTwo() {
        Encoding one = row(BERT, null);
        assertArrayEquals(new int[] {8, 1, 2, 1, 2, 9}, one.ids());
        assertArrayEquals(new int[] {0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 0, 0}, one.offsets());
        Encoding two = row(BERT, "b a b");
        assertArrayEquals(new int[] {8, 1, 2, 1, 2, 9, 2, 1, 2, 9}, two.ids());
        assertArrayEquals(new int[] {0, 0, 0, 0, 0, 0, 1, 1, 1, 1}, two.typeIds());
    }

    @Test
    void truncationLeavesRoomForTheTemplate() {
        assertArrayEquals(new int[] {8, 1, 2, 9, 2, 9}, row(BERT + TRUNCATION, "b a b").ids());
        var error =
                assertThrows(
                        IllegalArgumentException.class,
                        () -> row(BERT + TRUNCATION.replace("LongestFirst", "OnlyFirst"), "b a b"));
        assertTrue(String.valueOf(error.getMessage()).contains("limit=3"), error::toString);
    }

    @Test
    void paddingFillsUpToAMultiple() {
        String padding =
                ",'padding':{'strategy':{'Fixed':6},'direction':'Left','pad_to_multiple_of':4,"
                        + "'pad_id':7,'pad_type_id':3,'pad_token':'p'}";
        Encoding row = row(BERT + padding, null);
        assertArrayEquals(new int[] {7, 7, 8, 1, 2, 1, 2, 9}, row.ids());
        assertArrayEquals(new int[] {3, 3, 0, 0, 0, 0, 0, 0}, row.typeIds());
        assertArrayEquals(new int[] {0, 0, 1, 1, 1, 1, 1, 1}, row.attentionMask());
    }

    private static Encoding row(String fields, @Nullable String pair) {
        return Json.tokenizer(MODEL, fields + ",'pre_tokenizer':{'type':'Whitespace'}")
                .encodeRow("a b a b", pair, true, AddedTokenMatch.ALL);
    }
}
