package io.cortado.speculate;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

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
}
