package io.cortado.engine;

import static java.lang.System.Logger.Level.WARNING;

import io.cortado.api.Speculation;
import io.cortado.device.NativeException;
import io.cortado.device.Status;
import io.cortado.speculate.Acceptance;
import io.cortado.speculate.DraftLengths;
import io.cortado.speculate.DraftTree;
import io.cortado.speculate.Lookup;
import io.cortado.speculate.NgramIndex;
import io.cortado.speculate.SuffixIndex;
import io.cortado.speculate.TreeChoice;
import io.cortado.speculate.Turn;
import java.util.Arrays;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Has tokens drafted for the sequences whose last token is known, before the step that verifies
 * them is chosen. The loop's.
 */
final class Speculator {
    private static final System.Logger LOG = System.getLogger(Speculator.class.getName());

    private final Speculation how;
    private final Limits limits;
    private final Scheduler scheduler;
    private final DraftBlocks blocks;
    private final Executor executor;
    private final StepWatch watch;
    private final LongSupplier clock;
    private final DraftLengths lengths;
    private final @Nullable SuffixIndex answers;
    private final DraftCounts counts;
    private final boolean looksUp;

    /** A head of the target: it reads a prompt along with the target or never. */
    private final boolean isHead;

    private final Turn turn = new Turn();

    /** Null: chains alone are drafted. */
    private final @Nullable TreeChoice trees;

    private final @Nullable BeamShape shape;

    /** When the last step had run, and what the device's proposer took after it. */
    private long ranNanos;

    private long draftNanos;

    /** For which drafts are made now. */
    private final Sequence[] drafting;

    Speculator(
            Speculation how,
            Limits limits,
            Scheduler scheduler,
            Executor executor,
            StepWatch watch,
            LongSupplier clock) {
        this.watch = watch;
        this.how = how;
        this.limits = limits;
        this.scheduler = scheduler;
        blocks = scheduler.draftBlocks();
        this.executor = executor;
        this.clock = clock;
        looksUp =
                how.method() == Speculation.Method.NGRAM
                        || how.method() == Speculation.Method.SUFFIX;
        isHead =
                how.method() == Speculation.Method.EAGLE3 || how.method() == Speculation.Method.MTP;
        lengths = new DraftLengths(how.tokens(), how.adaptive(), how.offAbove(), looksUp);
        counts = new DraftCounts(how.isOff() ? 0 : how.tokens());
        boolean hasTrees = how.hasTrees();
        trees = hasTrees ? new TreeChoice(lengths, how.tokens(), how.adaptive()) : null;
        shape = hasTrees ? BeamShape.of(how.shape(), how.tokens()) : null;
        drafting = new Sequence[limits.maxNumSeqs()];
        answers =
                how.method() == Speculation.Method.SUFFIX
                        ? new SuffixIndex(how.lookupMin(), how.lookupMax())
                        : null;
    }

    DraftCounts counts() {
        return counts;
    }

    /** A sequence comes in: it is drafted for, unless its rows must come one after the other. */
    void begin(Sequence sequence) {
        Request request = sequence.request;
        RowParams params = request.rowParams;
        if (how.isOff()
                || sequence.hasProcessors()
                || params.keepsState()
                || request.pooled != null
                || request.draftsAtMost == 0
                || sequence.maxOutput < 2) {
            return;
        }
        if (shape != null) {
            sequence.drafts = new Drafts(sequence, shape, how.tokens(), limits.maxForks(), lengths);
            return;
        }
        sequence.drafts =
                new Drafts(sequence, how.tokens(), lengths, looksUp ? lookup(request) : null);
    }

    private Lookup lookup(Request request) {
        NgramIndex own = new NgramIndex(how.lookupMin(), how.lookupMax());
        return new Lookup(own, answers, request.owner);
    }

    /** A sequence has ended. */
    void ended(Sequence sequence) {
        Drafts drafts = sequence.drafts;
        if (answers != null && drafts != null && sequence.answer.size() > 0) {
            answers.remember(sequence.request.owner, drafts);
        }
    }

    /**
     * True if the next step is better chosen when this one has ended: it draws the tokens behind
     * which more are to be drafted, and all sequences should share that step.
     */
    boolean holdsBack(Batch running) {
        if (how.isOff()) {
            return false;
        }
        for (int i = 0; i < running.numSeqs(); i++) {
            if (running.sequence(i).awaitsDrafts()) {
                return true;
            }
        }
        return false;
    }

    /** Drafts for the sequences that decode in the next step, which will be this batch. */
    void propose(Batch next) {
        if (how.isOff()) {
            return;
        }
        draftNanos = 0;
        int count = choose();
        if (count == 0) {
            return;
        }
        if (looksUp) {
            for (int i = 0; i < count; i++) {
                lookUp(drafting[i]);
            }
        } else {
            draftOnDevice(next, count);
            blocks.releaseBeams(drafting, count);
        }
        prune(count);
        Arrays.fill(drafting, 0, count, null);
    }

    /** A proposer that fails costs its sequences their drafts, and nothing else. */
    private void draftOnDevice(Batch next, int count) {
        long start = clock.getAsLong();
        watch.begin(next);
        try {
            executor.draft(drafting, count);
        } catch (RuntimeException fault) {
            if (fault instanceof NativeException e && e.status() == Status.DEVICE_LOST) {
                throw fault;
            }
            LOG.log(WARNING, "nothing more is drafted for " + count + " sequences", fault);
            for (int i = 0; i < count; i++) {
                blocks.drop(drafting[i]);
            }
        }
        watch.end();
        draftNanos = clock.getAsLong() - start;
        counts.proposed(draftNanos);
        noteTime(count);
    }

    private void noteTime(int count) {
        boolean anyTree = false;
        for (int i = 0; i < count; i++) {
            Drafts drafts = drafting[i].drafts;
            anyTree |= drafts != null && drafts.wantsTree();
        }
        if (anyTree && trees != null) {
            trees.drafted(draftNanos);
        } else {
            lengths.drafted(rounds(count), draftNanos);
        }
    }

    /** Says how many are wanted of each sequence, and takes the blocks for them. */
    private int choose() {
        int count = 0;
        int left = limits.maxDraftRows();
        lengths.choose(scheduler.running());
        boolean isOpen = lengths.isOpen() && enoughCanBeDraftedFor();
        boolean anyOn = false;
        boolean anyUnwanted = false;
        for (int i = 0; i < scheduler.running(); i++) {
            Sequence sequence = scheduler.running(i);
            Drafts drafts = sequence.drafts;
            if (drafts == null) {
                continue;
            }
            drafts.begin();
            foresee(drafts);
            int wanted = isOpen ? wanted(sequence, drafts) : 0;
            drafts.turn(wanted > 0);
            anyOn |= wanted > 0;
            anyUnwanted |= isOpen && wanted == 0 && drafts.reads();
            wanted = Math.min(left, wanted);
            if (wanted > 0 && sequence.canBeDraftedFor() && take(sequence, drafts, wanted, left)) {
                int nodes = drafts.wantsTree() ? how.nodes() : wanted;
                left -= Math.min(left, nodes);
                drafting[count++] = sequence;
            }
        }
        turn.chosen(anyOn, anyUnwanted, !looksUp && lengths.isReading());
        return count;
    }

    /** A head drafts once it has read the prompts of half of the sequences, not for the first. */
    private boolean enoughCanBeDraftedFor() {
        if (!isHead || !how.adaptive()) {
            return true;
        }
        int all = 0;
        int ready = 0;
        for (int i = 0; i < scheduler.running(); i++) {
            Drafts drafts = scheduler.running(i).drafts;
            all += drafts == null ? 0 : 1;
            ready += drafts != null && drafts.reads() ? 1 : 0;
        }
        return 2 * ready >= all;
    }

    private void foresee(Drafts drafts) {
        Lookup lookup = drafts.lookup();
        if (lookup != null && how.adaptive()) {
            lookup.follow(drafts, lengths, drafts.acceptance());
        }
    }

    /**
     * Takes blocks for drafts: for a tree where that pays more than a chain, and where there are
     * enough to draft it in.
     */
    private boolean take(Sequence sequence, Drafts drafts, int chain, int left) {
        boolean pays =
                trees != null
                        && trees.wantsTree(drafts.acceptance().rate(), chain, scheduler.running());
        int depth = Math.min(how.tokens(), Math.min(left, most(sequence)));
        boolean asTree = pays && blocks.grow(sequence, depth) && blocks.takeBeam(sequence, depth);
        drafts.want(asTree ? depth : chain, asTree);
        return asTree || blocks.grow(sequence, chain);
    }

    private int wanted(Sequence sequence, Drafts drafts) {
        Acceptance acceptance = drafts.acceptance();
        if (isHead && !drafts.reads()) {
            return 0;
        }
        if (acceptance.isResting()) {
            acceptance.rested();
            return 0;
        }
        int wanted = lengths.wanted(acceptance, scheduler.running());
        return Math.max(0, Math.min(wanted, most(sequence)));
    }

    private int most(Sequence sequence) {
        // What the step draws behind the last draft is a token as well.
        int room = sequence.maxOutput - sequence.answer.size() - 1;
        int beforeOtherAngles = limits.otherAnglesAbove() - sequence.length();
        int sameAngles = sequence.isLong ? Integer.MAX_VALUE : beforeOtherAngles;
        return Math.min(room, Math.min(sameAngles, sequence.request.draftsAtMost));
    }

    private void lookUp(Sequence sequence) {
        Drafts drafts = sequence.drafting();
        Lookup lookup = drafts.lookup();
        if (lookup != null) {
            lookup.follow(drafts, lengths, drafts.acceptance());
            lookup.propose(drafts.tree(), drafts.wanted());
        }
    }

    private int rounds(int count) {
        int rounds = 1;
        for (int i = 0; i < count; i++) {
            Drafts drafts = drafting[i].drafts;
            rounds = Math.max(rounds, drafts == null ? 1 : drafts.wanted());
        }
        return rounds;
    }

    private void prune(int count) {
        for (int i = 0; i < count; i++) {
            Guide guide = drafting[i].guide;
            Drafts drafts = drafting[i].drafts;
            if (guide != null && drafts != null) {
                guide.prune(drafts.tree());
            }
        }
    }

    /** A step has run for so long. */
    void ran(Batch batch, long nanos) {
        if (how.isOff()) {
            return;
        }
        if (batch.promptTokens() == 0) {
            lengths.ran(batch.numTokens(), nanos);
        }
        if (batch.numDrafts() > 0) {
            lengths.held(Math.max(0, batch.submittedNanos - ranNanos - draftNanos));
        }
        long now = clock.getAsLong();
        turn.ran(
                batch.numSeqs() - batch.numForks(),
                batch.numTokens(),
                batch.numDrafts(),
                batch.promptTokens(),
                ranNanos == 0 ? 0 : now - ranNanos);
        ranNanos = now;
    }

    /** What the step has given was taken. */
    void accepted() {
        lengths.ran(turn);
    }

    /** Nothing runs. */
    void idle() {
        ranNanos = 0;
    }

    /**
     * The drafts of a sequence were verified.
     *
     * @param last of those that stand
     */
    void verified(Drafts drafts, int accepted, int last) {
        DraftTree tree = drafts.tree();
        int chain = tree.firstsOnTheWayTo(last);
        boolean isWhole = tree.isLeaf(last);
        int tried = chain + (chain == accepted && isWhole ? 0 : 1);
        lengths.verified(drafts.acceptance(), tried, chain);
        if (trees != null && drafts.wantsTree()) {
            int levels = accepted + (isWhole ? 0 : 1);
            trees.verified(1 + tree.size(), levels, accepted, tried, chain);
        }
        counts.verified(tree.size(), accepted);
        turn.accepted(accepted);
    }
}
