package io.cortado.speculate;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class NgramIndexTest {
    private static final SuffixIndex.Owner A = new SuffixIndex.Owner("a", "");

    /** A text of these tokens. */
    private record Text(int... tokens) implements TokenText {
        @Override
        public int size() {
            return tokens.length;
        }

        @Override
        public int token(int index) {
            return tokens[index];
        }
    }

    private static List<Integer> proposed(NgramIndex index, int most) {
        DraftTree draft = new DraftTree(most);
        assertEquals(index.propose(draft, most), draft.size());
        assertTrue(draft.isChain());
        return tokens(draft);
    }

    private static List<Integer> tokens(DraftTree draft) {
        List<Integer> tokens = new ArrayList<>();
        for (int i = 0; i < draft.size(); i++) {
            tokens.add(draft.token(i));
        }
        return tokens;
    }

    @Test
    void proposesWhatFollowedLast() {
        NgramIndex index = new NgramIndex(2, 3);
        index.extend(new Text(1, 2, 3, 1, 2, 4, 9, 1, 2));
        assertEquals(List.of(4, 9, 1), proposed(index, 3));
    }

    @Test
    void prefersTheLongestMatch() {
        NgramIndex index = new NgramIndex(1, 3);
        index.extend(new Text(7, 8, 9, 1, 5, 9, 2, 6, 7, 8, 9));
        assertEquals(List.of(1, 5), proposed(index, 2));
    }

    @Test
    void copiesRunOnIntoThemselves() {
        NgramIndex index = new NgramIndex(2, 4);
        index.extend(new Text(5, 6, 5, 6, 5, 6));
        assertEquals(List.of(5, 6, 5, 6, 5), proposed(index, 5));
    }

    @Test
    void proposesNothingWithoutAMatch() {
        NgramIndex index = new NgramIndex(2, 4);
        assertEquals(List.of(), proposed(index, 4));
        index.extend(new Text(1));
        assertEquals(List.of(), proposed(index, 4));
        index.extend(new Text(1, 2, 3, 2));
        assertEquals(List.of(), proposed(index, 4));
    }

    /** Growing texts of few tokens, against a search from the end. */
    @Test
    void findsWhatASearchFinds() {
        long seed = Long.getLong("cortado.seed", System.nanoTime());
        Random random = new Random(seed);
        for (int run = 0; run < 50; run++) {
            int min = 1 + random.nextInt(3);
            int max = min + random.nextInt(4);
            int vocab = 2 + random.nextInt(run % 2 == 0 ? 5 : 200);
            NgramIndex index = new NgramIndex(min, max);
            int[] text = random.ints(300, 0, vocab).toArray();
            for (int size = 1; size <= text.length; size += 1 + random.nextInt(4)) {
                int[] known = Arrays.copyOf(text, size);
                index.extend(new Text(known));
                assertEquals(searched(known, min, max, 4), proposed(index, 4), "seed=" + seed);
            }
        }
    }

    private static List<Integer> searched(int[] text, int min, int max, int most) {
        for (int n = Math.min(max, text.length); n >= min; n--) {
            int from = before(text, text.length, n);
            if (from > 0) {
                return copied(text, from, most);
            }
        }
        for (int isNew = 1; isNew <= Math.min(16, text.length - 1); isNew++) {
            for (int n = Math.clamp(2, min, max); n >= min; n--) {
                int from = before(text, text.length - isNew, n);
                if (from > 0) {
                    return copied(text, from + isNew, most);
                }
            }
        }
        return List.of();
    }

    /** The place behind the n tokens that end before this place, where they stood before; 0. */
    private static int before(int[] text, int place, int n) {
        for (int end = place - 1; end >= n; end--) {
            if (place >= n && Arrays.equals(text, end - n, end, text, place - n, place)) {
                return end;
            }
        }
        return 0;
    }

    private static List<Integer> copied(int[] text, int from, int most) {
        List<Integer> found = new ArrayList<>();
        for (int i = 0; i < most; i++) {
            int at = from + i;
            found.add(at < text.length ? text[at] : found.get(at - text.length));
        }
        return found;
    }

    @Test
    void goesOnBehindATokenThatStandsInAnothersStead() {
        NgramIndex index = new NgramIndex(2, 3);
        index.extend(new Text(1, 2, 3, 4, 5, 9, 1, 2, 7));
        assertEquals(List.of(4, 5), proposed(index, 2));
        assertEquals(0, index.matched());
        index.append(8);
        assertEquals(List.of(5, 9), proposed(index, 2));
    }

    @Test
    void newTokensStandInTheSteadOfAFewAlone() {
        NgramIndex index = new NgramIndex(1, 3);
        index.extend(new Text(1, 2, 1));
        for (int i = 0; i < 16; i++) {
            index.append(10 + i);
            assertEquals(1, proposed(index, 1).size());
        }
        index.append(30);
        assertEquals(List.of(), proposed(index, 1));
    }

    @Test
    void ownersHaveTheirOwnAnswers() {
        SuffixIndex answers = new SuffixIndex(2, 3);
        answers.remember(A, new Text(1, 2, 3, 4, 5));
        DraftTree draft = new DraftTree(4);
        assertEquals(
                0,
                answers.propose(
                        new SuffixIndex.Owner("a", "salt"), new Text(9, 2, 3), 0, draft, 4));
        assertEquals(2, answers.propose(A, new Text(9, 2, 3), 0, draft, 4));
        assertEquals(List.of(4, 5), tokens(draft));
    }

    @Test
    void answersAreForgottenByHalves() {
        SuffixIndex answers = new SuffixIndex(2, 3, 16);
        for (int i = 0; i < 10; i++) {
            answers.remember(A, new Text(10 * i, 10 * i + 1, 10 * i + 2, 10 * i + 3));
        }
        DraftTree draft = new DraftTree(4);
        assertEquals(0, answers.propose(A, new Text(0, 1), 0, draft, 4), "long ago");
        assertEquals(2, answers.propose(A, new Text(90, 91), 0, draft, 4), "the last");
        draft.clear();
        assertEquals(2, answers.propose(A, new Text(70, 71), 0, draft, 4), "in the older half");
    }

    @Test
    void noTextReachesOverIntoTheNext() {
        SuffixIndex answers = new SuffixIndex(2, 3);
        answers.remember(A, new Text(1, 2));
        answers.remember(A, new Text(3, 4));
        DraftTree draft = new DraftTree(4);
        assertEquals(0, answers.propose(A, new Text(1, 2), 0, draft, 4));
        assertEquals(0, answers.propose(A, new Text(2, 3), 0, draft, 4));
    }

    @Test
    void ownersMakeRoomForOthers() {
        SuffixIndex answers = new SuffixIndex(1, 2);
        for (int i = 0; i < 1000; i++) {
            answers.remember(new SuffixIndex.Owner("tenant " + i, ""), new Text(1, 2, 3));
        }
        assertEquals(64, answers.numOwners());
    }

    @Test
    void boundsAreChecked() {
        assertThrows(IllegalArgumentException.class, () -> new NgramIndex(0, 2));
        assertThrows(IllegalArgumentException.class, () -> new NgramIndex(3, 2));
    }
}
