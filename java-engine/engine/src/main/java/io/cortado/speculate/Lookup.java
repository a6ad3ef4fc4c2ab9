package io.cortado.speculate;

import org.jspecify.annotations.Nullable;

/**
 * Drafts for one text what has followed before on the tokens at its end: in the text itself, or in
 * the ended answers of its owner where these match further. It tells of each token that comes
 * whether it would have drafted it, which costs no draft. One thread.
 */
public final class Lookup {
    private final NgramIndex own;
    private final @Nullable SuffixIndex answers;
    private final SuffixIndex.Owner owner;

    /** What would be drafted behind the tokens that are known. */
    private int next = NgramIndex.NONE;

    /**
     * @param own that is empty
     * @param answers null: only the text itself is looked at
     */
    public Lookup(NgramIndex own, @Nullable SuffixIndex answers, SuffixIndex.Owner owner) {
        this.own = own;
        this.answers = answers;
        this.owner = owner;
    }

    /** Takes what the text has more than it had: it only grows. */
    public void follow(TokenText text, DraftLengths lengths, Acceptance acceptance) {
        if (own.size() == text.size()) {
            return;
        }
        if (own.size() == 0) {
            own.extend(text); // the prompt is nothing to guess
            foresee(acceptance);
        }
        for (int i = own.size(); i < text.size(); i++) {
            lengths.came(acceptance, text.token(i) == next);
            own.append(text.token(i));
            foresee(acceptance);
        }
    }

    private void foresee(Acceptance acceptance) {
        int from = own.match();
        int other = answers == null ? NgramIndex.NONE : answers.next(owner, own, own.matched());
        if (other != NgramIndex.NONE) {
            next = other;
        } else {
            next = from == NgramIndex.NONE ? NgramIndex.NONE : own.token(from);
        }
        boolean isOwn = other == NgramIndex.NONE && from != NgramIndex.NONE;
        acceptance.behindNew(isOwn && own.matched() == 0);
    }

    /**
     * Adds to an empty draft what may follow.
     *
     * @param most tokens
     */
    public void propose(DraftTree draft, int most) {
        own.match();
        if (answers == null || answers.propose(owner, own, own.matched(), draft, most) == 0) {
            own.propose(draft, most);
        }
    }
}
