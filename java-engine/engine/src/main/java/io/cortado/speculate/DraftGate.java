package io.cortado.speculate;

/**
 * Whether anything is drafted at all, by what it has turned out to give: what turns with drafts
 * took against what their tokens take without. Each number of running sequences, to a power of two,
 * has an answer of its own; but drafts of which hardly any stand pay with no number. Where drafts
 * cost more than they give they rest, each time for longer and until their loss is a small part of
 * all turns, and what drafts does not run then. One thread.
 */
final class DraftGate {
    /** Turns without drafts that tell what a turn takes. */
    private static final int PLAIN = 6;

    /** Turns after which a trial that is far too slow ends. */
    private static final int SHORT_TRIAL = 6;

    private static final int TRIAL = 16;
    private static final double HOPELESS = 0.85;

    /** What drafts may seem to lose, as times are never exact. */
    private static final double PAYS = 0.98;

    /** Of what was before, at each turn: some thirty turns count. */
    private static final double KEPT = 0.97;

    private static final int FIRST_REST = 64;

    /** Turns that read prompts for drafts that nobody wants: more than that do not pay. */
    private static final int IDLE = 64;

    /** That a turn with drafts makes up for. */
    private static final int LESS_IDLE = 8;

    /** Of all turns, what a trial may lose. */
    private static final double LOSS = 0.01;

    /** Of drafts, that stand: fewer pay nowhere. */
    private static final double FEW = 0.05;

    /**
     * Turns with drafts until some without them tell again what they take: the first, all later.
     */
    private static final int FIRST_REFRESH = 64;

    private static final int REFRESH = 128;

    /** Of those without drafts. */
    private static final int REFRESHES = 4;

    /** Turns in which prompts are not read, where it is not known what prompts take then. */
    private static final int UNREAD = 16;

    /** The first turn of a trial counts for at most so many times what it would take without. */
    private static final double MOST_FIRST = 4;

    /** A later one for at most so many times what it would take as those before it did. */
    private static final double MOST = 2;

    private static final class Level {
        int plainTurns;
        int rest;
        int nextRest = FIRST_REST;

        /** Since drafts were made again. */
        int turns;

        int nextRefresh = FIRST_REFRESH;

        int idle;

        double with;
        double without;

        /** Of the drafts since then. */
        int drafts;

        int accepted;

        /** Turns without drafts that the drafts have cost, beyond what they gave. */
        double lost;

        void rest(int forTurns) {
            rest = forTurns;
            turns = 0;
            idle = 0;
            with = 0;
            without = 0;
            drafts = 0;
            accepted = 0;
            lost = 0;
        }
    }

    private final Level[] levels = new Level[Integer.SIZE];
    private final int longestRest;

    /** Of turns that only decode, by their sequences. */
    private final StepTimes decodes = new StepTimes();

    /** Of turns with prompts, by their tokens. */
    private final StepTimes prompts = new StepTimes();

    private boolean wasPlain;

    /**
     * @param longestRest turns until drafts are tried again
     */
    DraftGate(int longestRest) {
        this.longestRest = longestRest;
        for (int i = 0; i < levels.length; i++) {
            levels[i] = new Level();
        }
    }

    boolean isOpen(int numSeqs) {
        Level level = level(numSeqs);
        return level.plainTurns >= PLAIN && level.rest == 0;
    }

    /** True if what drafts reads prompts along: drafts are made, or will be soon. */
    boolean isReading(int numSeqs) {
        return level(numSeqs).rest == 0;
    }

    private Level level(int numSeqs) {
        return levels[Integer.SIZE - 1 - Integer.numberOfLeadingZeros(Math.max(1, numSeqs))];
    }

    void ran(Turn turn) {
        Level level = level(turn.numSeqs);
        if (turn.isHeld || turn.drafts > 0) {
            compare(level, turn);
            wasPlain = false;
        } else {
            learn(level, turn);
            wasPlain = true;
            level.idle += turn.isIdle && turn.reads ? 1 : 0;
            if (level.idle >= IDLE) {
                close(level);
            }
        }
    }

    private void learn(Level level, Turn turn) {
        level.rest = Math.max(0, level.rest - 1);
        if (turn.nanos == 0) {
            return;
        }
        if (turn.promptTokens > 0) {
            if (!turn.reads) {
                prompts.ran(turn.tokens, turn.nanos);
            }
        } else if (wasPlain) {
            decodes.ran(turn.numSeqs, turn.nanos);
            level.plainTurns++;
        }
    }

    private void compare(Level level, Turn turn) {
        double decode = decodes.of(turn.numSeqs);
        double base = turn.promptTokens > 0 ? prompts.of(turn.tokens - turn.drafts) : decode;
        double without = base + turn.accepted * decode / turn.numSeqs;
        if (turn.nanos == 0 || Double.isNaN(without)) {
            return;
        }
        double most =
                level.turns == 0
                        ? MOST_FIRST * without
                        : MOST * without * level.with / level.without;
        double with = Math.min(turn.nanos, most);
        level.with = KEPT * level.with + with;
        level.without = KEPT * level.without + without;
        level.lost += (with - without) / decode;
        level.drafts += turn.drafts;
        level.accepted += turn.accepted;
        level.turns++;
        level.idle = Math.max(0, level.idle - LESS_IDLE);
        boolean isSlow =
                level.turns >= TRIAL
                        ? level.without < PAYS * level.with
                        : level.turns >= SHORT_TRIAL && level.without < HOPELESS * level.with;
        if (isSlow) {
            close(level);
        } else if (level.turns >= level.nextRefresh) {
            level.nextRest = FIRST_REST;
            level.nextRefresh = REFRESH;
            level.plainTurns = PLAIN - REFRESHES;
            level.turns = 0;
            level.rest = prompts.isEmpty() ? UNREAD : 0;
        }
    }

    private void close(Level level) {
        boolean isHopeless = level.accepted < FEW * level.drafts;
        int rest = (int) Math.min(longestRest, Math.max(level.nextRest, level.lost / LOSS));
        level.nextRest = 2 * rest;
        level.rest(rest);
        for (Level other : levels) {
            if (isHopeless && other.rest < rest) {
                other.rest(rest);
            }
        }
    }
}
