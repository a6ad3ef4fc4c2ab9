package io.cortado.speculate;

import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What the ended answers of each owner said, to propose it again (suffix decoding: Oliaro et al.
 * 2024, arXiv 2411.04975, with n-grams for its tree). Memory is bounded: each owner has an older
 * and a newer half, and a full newer half takes the place of the older; the owner that was idle
 * longest makes room for another. Owners never see each other's. One thread.
 */
public final class SuffixIndex {
    private static final int MAX_OWNERS = 64;

    private static final int TOKENS_PER_HALF = 1 << 15;

    private final int min;
    private final int max;
    private final int tokensPerHalf;

    /** The last tokens of a text, while it is looked up. */
    private final int[] end;

    private final DraftTree first = new DraftTree(1);
    private final Map<Owner, Halves> owners = new LinkedHashMap<>(16, 0.75f, true);

    /** Who may be told what an answer said: as in the prefix cache, requests of one salt. */
    public record Owner(String tenant, String cacheSalt) {}

    private static final class Halves {
        @Nullable NgramIndex older;
        NgramIndex newer;

        Halves(NgramIndex newer) {
            this.newer = newer;
        }
    }

    /**
     * @param min tokens that must match, at least 1
     * @param max tokens that are compared at most
     */
    public SuffixIndex(int min, int max) {
        this(min, max, TOKENS_PER_HALF);
    }

    SuffixIndex(int min, int max, int tokensPerHalf) {
        this.min = min;
        this.max = max;
        this.tokensPerHalf = tokensPerHalf;
        end = new int[max];
    }

    int numOwners() {
        return owners.size();
    }

    /** Remembers the end of a text, as far as a half has room for it. */
    public void remember(Owner owner, TokenText text) {
        Halves halves = owners.computeIfAbsent(owner, _ -> new Halves(new NgramIndex(min, max)));
        if (owners.size() > MAX_OWNERS) {
            owners.remove(owners.keySet().iterator().next());
        }
        int count = Math.min(text.size(), tokensPerHalf - 1);
        if (halves.newer.size() + count + 1 > tokensPerHalf) {
            halves.older = halves.newer;
            halves.newer = new NgramIndex(min, max);
        }
        for (int i = text.size() - count; i < text.size(); i++) {
            halves.newer.append(text.token(i));
        }
        halves.newer.append(NgramIndex.BREAK);
        halves.newer.index(halves.newer.size());
    }

    /** The first token that {@link #propose} would add; {@link NgramIndex#NONE}. */
    int next(Owner owner, TokenText text, int longerThan) {
        first.clear();
        return propose(owner, text, longerThan, first, 1) == 0 ? NgramIndex.NONE : first.token(0);
    }

    /**
     * Adds to an empty draft what followed, the last time, on what a text ends with.
     *
     * @param longerThan tokens that must match, and one more
     * @param most tokens
     * @return tokens that were added
     */
    public int propose(Owner owner, TokenText text, int longerThan, DraftTree draft, int most) {
        Halves halves = owners.get(owner);
        if (halves == null) {
            return 0;
        }
        int size = Math.min(max, text.size());
        for (int i = 0; i < size; i++) {
            end[i] = text.token(text.size() - size + i);
        }
        for (int n = size; n >= min && n > longerThan; n--) {
            int count = copy(halves.newer, n, size, draft, most);
            if (count == 0 && halves.older != null) {
                count = copy(halves.older, n, size, draft, most);
            }
            if (count > 0) {
                return count;
            }
        }
        return 0;
    }

    private int copy(NgramIndex from, int n, int size, DraftTree draft, int most) {
        int place = from.find(n, end, size);
        int count = 0;
        while (place != NgramIndex.NONE
                && count < most
                && place + count < from.size()
                && from.token(place + count) != NgramIndex.BREAK) {
            draft.append(from.token(place + count));
            count++;
        }
        return count;
    }
}
