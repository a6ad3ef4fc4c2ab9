package io.cortado.speculate;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import org.junit.jupiter.api.Test;

/** What is drafted from a text and from answers, and what is known of it beforehand. */
class LookupTest {
    private static final SuffixIndex.Owner OWNER = new SuffixIndex.Owner("a", "");

    private record Text(int... ids) implements TokenText {
        @Override
        public int size() {
            return ids.length;
        }

        @Override
        public int token(int index) {
            return ids[index];
        }
    }

    private final DraftLengths lengths = new DraftLengths(4, true, 100, true);
    private final Acceptance acceptance = lengths.acceptance();
    private final SuffixIndex answers = new SuffixIndex(1, 4);
    private final DraftTree draft = new DraftTree(4);

    private Lookup lookup() {
        return new Lookup(new NgramIndex(1, 4), answers, OWNER);
    }

    @Test
    void theLongerMatchIsDraftedAndTheOwnTextAmongEquals() {
        answers.remember(OWNER, new Text(1, 2, 3, 4));
        Lookup lookup = lookup();
        lookup.follow(new Text(3, 7, 2, 3), lengths, acceptance);
        lookup.propose(draft, 4);
        assertEquals("[4] behind [-1]", draft.toString());
        draft.clear();
        Lookup own = lookup();
        own.follow(new Text(3, 7, 9, 3), lengths, acceptance);
        own.propose(draft, 2);
        assertEquals("[7, 9] behind [-1, 0]", draft.toString());
    }

    @Test
    void tellsWithoutDraftsWhatTheyWouldBeWorth() {
        Lookup lookup = lookup();
        double before = acceptance.firstRate();
        lookup.follow(new Text(1, 2, 3), lengths, acceptance);
        assertEquals(before, acceptance.firstRate(), "the prompt counts for nothing");
        lookup.follow(new Text(1, 2, 3, 9, 8, 7), lengths, acceptance);
        double low = acceptance.firstRate();
        assertTrue(low < before);
        lookup.follow(new Text(1, 2, 3, 9, 8, 7, 1, 2, 3, 9), lengths, acceptance);
        assertTrue(acceptance.firstRate() > low);
    }

    @Test
    void draftsBehindNewTokensAreWorthWhatTheyWereWorthThemselves() {
        Lookup lookup = lookup();
        int[] text = new int[60];
        for (int i = 0; i < text.length; i++) {
            text[i] = i % 4 == 3 ? 100 + i : i % 4; // 0, 1, 2, a new one, again and again
        }
        lookup.follow(new Text(text[0]), lengths, acceptance);
        lookup.follow(new Text(text), lengths, acceptance);
        assertTrue(acceptance.isBehindNew());
        assertTrue(acceptance.firstRate() > 0.4, "behind a new one comes 0: it stands");
        int[] longer = Arrays.copyOf(text, 61);
        lookup.follow(new Text(longer), lengths, acceptance);
        assertFalse(acceptance.isBehindNew(), "0 was said before");
        double said = acceptance.firstRate();
        assertTrue(said > 0.3 && said < 0.6, "of four tokens two are as said: " + said);
    }
}
