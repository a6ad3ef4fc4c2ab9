package io.cortado.engine;

import static java.lang.System.Logger.Level.INFO;

import io.cortado.device.Buffer;
import io.cortado.device.Device;
import io.cortado.device.Event;
import io.cortado.device.ResourceStack;
import io.cortado.device.SampleRow;
import io.cortado.device.Stream;
import io.cortado.model.BatchInputs;
import io.cortado.sampling.Sampler;
import java.util.function.IntFunction;

/**
 * The passes that draft one token after the other: each takes what the one before draws on the
 * device, and the host waits once for all. Draft tokens are drawn by the request's rule with the
 * random numbers of their places: the same numbers with which the target draws there, so that both
 * often draw the same. The loop's.
 */
final class DraftRounds implements AutoCloseable {
    private static final System.Logger LOG = System.getLogger(DraftRounds.class.getName());

    /** Of the target's draws: sharing it is what makes drafts stand, and harms nothing. */
    static final int SAMPLING_TAG = 0;

    private static final long FOR_A_WHILE_MS = 60_000;

    /** What differs from one that drafts to the other. */
    interface Passes {
        /** Describes the first pass: sequences that have a token to draft end with a row. */
        void first(DraftPass pass);

        /**
         * Adds the token that the round before has drafted.
         *
         * @param row of the round before that draws it
         */
        void later(DraftPass pass, int round, Sequence sequence, DraftPass before, int row);

        /** Enqueues the pass, and the draw of its rows. */
        void enqueue(DraftPass pass, int round, Sampler sampler, Stream stream);

        /** The target's id of what a row has drawn; negative: nothing is drafted. */
        int drafted(int round, int row, int drawn);
    }

    private final ResourceStack owned = new ResourceStack();
    private final DraftPass[] passes;
    private final Sampler[] samplers;
    private final Event done;
    private final int[] tokens;
    private final float[] logprobs;
    private final int[] ranks;
    private final int[] statuses;

    /**
     * @param inputs of each round; not owned
     * @param rounds drafts of a sequence at most
     * @param vocabSize ids that may be drawn
     * @param width logits of a row
     */
    DraftRounds(
            Device device,
            IntFunction<BatchInputs> inputs,
            Limits limits,
            int rounds,
            int maxBlocksPerSeq,
            int vocabSize,
            int width) {
        int seqs = limits.maxNumSeqs();
        passes = new DraftPass[rounds];
        samplers = new Sampler[rounds];
        tokens = new int[seqs];
        logprobs = new float[seqs];
        ranks = new int[seqs];
        statuses = new int[seqs];
        boolean built = false;
        try {
            for (int round = 0; round < rounds; round++) {
                passes[round] = new DraftPass(inputs.apply(round), seqs, maxBlocksPerSeq);
                samplers[round] = new Sampler(device, seqs, 1, vocabSize, width);
                owned.push(samplers[round]::close);
            }
            done = device.createEvent();
            owned.push(done::close);
            built = true;
        } finally {
            if (!built) {
                owned.close();
            }
        }
    }

    /** Adds the draw of a sequence's row, which ends it. */
    void draw(DraftPass pass, int round, Sequence sequence, int length, int position) {
        SampleRow row = samplers[round].add(sequence.request.rowParams.row()).withoutCounts();
        row.random(sequence.seed, position, SAMPLING_TAG);
        pass.end(sequence, length);
    }

    /** Drafts for those whom the first pass describes, into their trees. */
    void run(Passes how, Stream stream) {
        int rounds = 0;
        DraftPass before = null;
        while (rounds < passes.length) {
            DraftPass pass = passes[rounds];
            pass.begin();
            samplers[rounds].begin(null);
            if (before == null) {
                how.first(pass);
            } else {
                addLater(how, pass, rounds, before);
            }
            if (pass.numSeqs() == 0) {
                break;
            }
            how.enqueue(pass, rounds, samplers[rounds], stream);
            before = pass;
            rounds++;
        }
        if (rounds > 0) {
            await(stream);
        }
        for (int round = 0; round < rounds; round++) {
            take(how, round);
        }
    }

    private static void addLater(Passes how, DraftPass pass, int round, DraftPass before) {
        for (int row = 0; row < before.numSeqs(); row++) {
            Sequence sequence = before.sequence(row);
            Drafts drafts = sequence.drafting();
            if (!drafts.isBehind() && round < drafts.wanted()) {
                how.later(pass, round, sequence, before, row);
            }
        }
    }

    private void await(Stream stream) {
        done.record(stream);
        while (!done.await(FOR_A_WHILE_MS)) {
            LOG.log(INFO, "drafts are still made"); // how long it may is the watchdog's to say
        }
    }

    /** A row that failed drafts nothing, and nothing comes behind it. */
    private void take(Passes how, int round) {
        DraftPass pass = passes[round];
        samplers[round].read(pass.numSeqs(), tokens, logprobs, ranks, statuses);
        for (int row = 0; row < pass.numSeqs(); row++) {
            Drafts drafts = pass.sequence(row).drafting();
            boolean goesOn = !drafts.isBehind() && drafts.tree().size() == round;
            if (goesOn && statuses[row] == SampleStatus.OK) {
                int token = how.drafted(round, row, tokens[row]);
                if (token >= 0) {
                    drafts.tree().append(token);
                }
            }
        }
    }

    /** What the rows of a round have drawn, on the device. */
    Buffer drawn(int round) {
        return samplers[round].tokens();
    }

    @Override
    public void close() {
        owned.close();
    }
}
