package io.cortado.speculate;

/**
 * A turn of the engine, as far as drafts change what it takes. The loop's; used again and again.
 */
public final class Turn {
    int numSeqs;
    int tokens;
    int drafts;
    int promptTokens;

    /** Drafts that stood. */
    int accepted;

    /** Something drafts: the turn was not prepared while the one before it ran. */
    boolean isHeld;

    /** Prompts were read for what drafts as well. */
    boolean reads;

    /** Drafts could be made, and are not wanted of any sequence. */
    boolean isIdle;

    /** From the end of the turn before to the end of this one; 0: not known. */
    long nanos;

    /** A step has run. */
    public void ran(int seqs, int allTokens, int draftTokens, int ofPrompts, long period) {
        numSeqs = seqs;
        tokens = allTokens;
        drafts = draftTokens;
        promptTokens = ofPrompts;
        nanos = period;
        accepted = 0;
    }

    /** How the step was chosen: whether drafts are wanted, or could be made and are not. */
    public void chosen(boolean anyDrafts, boolean anyUnwanted, boolean alongPrompts) {
        isHeld = anyDrafts;
        isIdle = !anyDrafts && anyUnwanted;
        reads = alongPrompts;
    }

    /** So many drafts of one of its sequences stood. */
    public void accepted(int more) {
        accepted += more;
    }
}
