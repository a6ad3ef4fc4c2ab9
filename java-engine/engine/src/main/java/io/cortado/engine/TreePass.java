package io.cortado.engine;

import static java.lang.System.Logger.Level.INFO;

import io.cortado.device.Device;
import io.cortado.device.Event;
import io.cortado.device.ResourceStack;
import io.cortado.device.SampleRow;
import io.cortado.device.Stream;
import io.cortado.model.BatchInputs;
import io.cortado.sampling.Sampler;

/**
 * A pass that drafts a level of trees, filled in, run and read before the next: the host chooses
 * what is gone on behind. The loop's.
 */
final class TreePass implements AutoCloseable {
    private static final System.Logger LOG = System.getLogger(TreePass.class.getName());
    private static final long FOR_A_WHILE_MS = 60_000;

    private final ResourceStack owned = new ResourceStack();
    private final DraftPass pass;
    private final Sampler sampler;
    private final Event done;
    private final int children;
    private final int[] tokens;
    private final float[] logprobs;
    private final int[] ranks;
    private final int[] statuses;
    private final int[] topIds;
    private final float[] topLogprobs;

    /** Where the last token of each row is in the pass that has run. */
    private final int[] lastTokens;

    /** Enqueues the pass, up to its logits, and the draw of its rows. */
    interface Enqueue {
        void enqueue(DraftPass pass, Sampler sampler, int tops, Stream stream);
    }

    /**
     * @param inputs not owned
     * @param children drafts behind one text at most
     * @param vocabSize ids that may be drawn
     * @param width logits of a row
     */
    TreePass(
            Device device,
            BatchInputs inputs,
            Limits limits,
            int maxBlocksPerSeq,
            int children,
            int vocabSize,
            int width) {
        this.children = children;
        int rows = limits.maxTables();
        pass = new DraftPass(inputs, rows, maxBlocksPerSeq);
        tokens = new int[rows];
        logprobs = new float[rows];
        ranks = new int[rows];
        statuses = new int[rows];
        topIds = new int[rows * children];
        topLogprobs = new float[rows * children];
        lastTokens = new int[rows];
        boolean built = false;
        try {
            sampler = new Sampler(device, rows, children, vocabSize, width);
            owned.push(sampler::close);
            done = device.createEvent();
            owned.push(done::close);
            built = true;
        } finally {
            if (!built) {
                owned.close();
            }
        }
    }

    DraftPass rows() {
        return pass;
    }

    void begin() {
        pass.begin();
        sampler.begin(null);
    }

    /** The row that is ended next draws the token at this position. */
    void draw(Sequence sequence, int position) {
        SampleRow row = sampler.add(sequence.request.rowParams.row()).withoutCounts();
        row.random(sequence.seed, position, DraftRounds.SAMPLING_TAG);
        row.logprobs(children, false);
    }

    void run(Enqueue how, Stream stream) {
        int rows = pass.numSeqs();
        how.enqueue(pass, sampler, children, stream);
        done.record(stream);
        while (!done.await(FOR_A_WHILE_MS)) {
            LOG.log(INFO, "trees are still drafted"); // how long it may is the watchdog's to say
        }
        sampler.read(rows, tokens, logprobs, ranks, statuses);
        sampler.readTops(rows, children, topIds, topLogprobs);
        for (int row = 0; row < rows; row++) {
            lastTokens[row] = pass.lastToken(row);
        }
    }

    /** Of a row of the pass that has run last. */
    int lastToken(int row) {
        return lastTokens[row];
    }

    /** What a row has drawn, or {@link DraftPasses#NOTHING}. */
    int drawn(int row) {
        return statuses[row] == SampleStatus.OK ? tokens[row] : DraftPasses.NOTHING;
    }

    int top(int row, int rank) {
        return topIds[row * children + rank];
    }

    double topLogprob(int row, int rank) {
        return topLogprobs[row * children + rank];
    }

    /** After the stream has ended. */
    @Override
    public void close() {
        owned.close();
    }
}
