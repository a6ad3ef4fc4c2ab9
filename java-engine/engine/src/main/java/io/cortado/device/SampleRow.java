package io.cortado.device;

import io.cortado.bindings.CortadoNative;
import io.cortado.bindings.ct_sample_row;
import java.lang.foreign.MemorySegment;

/**
 * How one row is drawn ({@code ct_sample_row}): on the Java heap as a request's own that is filled
 * once, or a view of a row of the batch. Everything starts off: the raw distribution is drawn from
 * at temperature 1, without logprobs.
 */
public final class SampleRow {
    public static final long BYTES = ct_sample_row.sizeof();

    /** As {@code forced}, {@code stateSlot}, {@code maskRow} and {@code allowedRow}. */
    public static final int NONE = -1;

    private static final float GREEDY_BELOW = 1e-5f;

    private final MemorySegment struct;

    /** Of a request. */
    public SampleRow() {
        this(MemorySegment.ofArray(new long[(int) (BYTES / Long.BYTES)]));
        ct_sample_row.forced(struct, NONE);
        ct_sample_row.state_slot(struct, NONE);
        ct_sample_row.mask_row(struct, NONE);
        ct_sample_row.allowed_row(struct, NONE);
        ct_sample_row.temperature(struct, 1);
        ct_sample_row.top_p(struct, 1);
    }

    private SampleRow(MemorySegment struct) {
        this.struct = struct;
    }

    /** A view of the index-th of rows in memory. */
    public static SampleRow in(MemorySegment rows, int index) {
        return new SampleRow(rows.asSlice(index * BYTES, BYTES));
    }

    /** Writes this row as the index-th into memory. */
    public void copyTo(MemorySegment rows, int index) {
        MemorySegment.copy(struct, 0, rows, index * BYTES, BYTES);
    }

    /** The key of the row's random numbers: uses of one seed and position differ by their tags. */
    public SampleRow random(long seed, long position, int streamTag) {
        ct_sample_row.seed(struct, seed);
        ct_sample_row.position(struct, position);
        ct_sample_row.stream_tag(struct, streamTag);
        return this;
    }

    /** The steps between the edited logits and the draw; none: the native library's default. */
    public SampleRow order(SampleStep... steps) {
        if (steps.length > CortadoNative.CT_MAX_SAMPLE_STEPS()) {
            throw new IllegalArgumentException(
                    "steps.length="
                            + steps.length
                            + " must be at most "
                            + CortadoNative.CT_MAX_SAMPLE_STEPS());
        }
        MemorySegment order = ct_sample_row.order(struct);
        order.fill((byte) 0);
        for (int i = 0; i < steps.length; i++) {
            order.set(CortadoNative.C_CHAR, i, (byte) steps[i].code());
        }
        return this;
    }

    /** Whether it takes the first of the order, whatever else there is. */
    public boolean isGreedy() {
        return ct_sample_row.temperature(struct) < GREEDY_BELOW
                && !(ct_sample_row.dynatemp_range(struct) > 0);
    }

    /**
     * So many of the row's first tokens hold all that it may draw, whatever the others' logits are,
     * as long as edits raise none; 0: that depends on all.
     */
    public int numDecisive() {
        if (isGreedy()) {
            return 1;
        }
        for (int i = 0; i < CortadoNative.CT_MAX_SAMPLE_STEPS(); i++) {
            int step = step(i);
            if (step == CortadoNative.CT_STEP_TOP_K() && ct_sample_row.top_k(struct) > 0) {
                return hasFlag(CortadoNative.CT_SAMPLE_KEEP_TIES())
                        ? 0
                        : ct_sample_row.top_k(struct);
            }
            if (asksForAll(step)) {
                return 0;
            }
        }
        return 0;
    }

    private int step(int index) {
        MemorySegment order = ct_sample_row.order(struct);
        boolean isUsual = order.get(CortadoNative.C_CHAR, 0) == CortadoNative.CT_STEP_END();
        int last = CortadoNative.CT_STEP_MIROSTAT();
        return isUsual ? Math.min(index + 1, last) : order.get(CortadoNative.C_CHAR, index);
    }

    /** Whether the step, if it is on, looks at more than the first tokens. */
    private boolean asksForAll(int step) {
        if (step == CortadoNative.CT_STEP_TEMPERATURE()) {
            return ct_sample_row.dynatemp_range(struct) > 0;
        }
        if (step == CortadoNative.CT_STEP_TOP_P()) {
            return ct_sample_row.top_p(struct) < 1;
        }
        boolean isOfEach =
                step == CortadoNative.CT_STEP_PENALTIES()
                        || step == CortadoNative.CT_STEP_DRY()
                        || step == CortadoNative.CT_STEP_MIN_P()
                        || step == CortadoNative.CT_STEP_TOP_K();
        return !isOfEach;
    }

    /** Below 1e-5 greedy. */
    public SampleRow temperature(float value) {
        ct_sample_row.temperature(struct, value);
        return this;
    }

    /** Temperature from -range to +range about the row's, by the entropy; range 0: off. */
    public SampleRow dynamicTemperature(float range, float exponent) {
        ct_sample_row.dynatemp_range(struct, range);
        ct_sample_row.dynatemp_exponent(struct, exponent);
        return this;
    }

    /** 0 and below: off. */
    public SampleRow topK(int value) {
        ct_sample_row.top_k(struct, value);
        return this;
    }

    /** 1 and above: off. */
    public SampleRow topP(float value) {
        ct_sample_row.top_p(struct, value);
        return this;
    }

    /** 0: off; so for the next ones. */
    public SampleRow minP(float value) {
        ct_sample_row.min_p(struct, value);
        return this;
    }

    public SampleRow typicalP(float value) {
        ct_sample_row.typical_p(struct, value);
        return this;
    }

    public SampleRow topNSigma(float value) {
        ct_sample_row.top_n_sigma(struct, value);
        return this;
    }

    public SampleRow epsilonCutoff(float value) {
        ct_sample_row.epsilon_cutoff(struct, value);
        return this;
    }

    public SampleRow etaCutoff(float value) {
        ct_sample_row.eta_cutoff(struct, value);
        return this;
    }

    public SampleRow topH(float value) {
        ct_sample_row.top_h(struct, value);
        return this;
    }

    public SampleRow xtc(float probability, float threshold) {
        ct_sample_row.xtc_probability(struct, probability);
        ct_sample_row.xtc_threshold(struct, threshold);
        return this;
    }

    /** Mirostat v2; needs a state slot. */
    public SampleRow mirostat(float tau, float eta) {
        ct_sample_row.mirostat_tau(struct, tau);
        ct_sample_row.mirostat_eta(struct, eta);
        return this;
    }

    /** Repetition 1, frequency 0, presence 0: off; need a state slot. */
    public SampleRow penalties(float repetition, float frequency, float presence) {
        ct_sample_row.repetition_penalty(struct, repetition);
        ct_sample_row.frequency_penalty(struct, frequency);
        ct_sample_row.presence_penalty(struct, presence);
        return this;
    }

    /** Whether any is on. */
    public boolean hasPenalties() {
        float repetition = ct_sample_row.repetition_penalty(struct);
        return (repetition > 0 && repetition != 1)
                || ct_sample_row.frequency_penalty(struct) != 0
                || ct_sample_row.presence_penalty(struct) != 0;
    }

    /** Whether the penalties raise no logit. */
    public boolean onlyLowers() {
        float repetition = ct_sample_row.repetition_penalty(struct);
        return !(repetition > 0 && repetition < 1)
                && ct_sample_row.frequency_penalty(struct) >= 0
                && ct_sample_row.presence_penalty(struct) >= 0;
    }

    /** The token to report instead of drawing, or {@link #NONE}. */
    public SampleRow forced(int token) {
        ct_sample_row.forced(struct, token);
        return this;
    }

    /** Where the request's counts and mirostat's mu are, or {@link #NONE}. */
    public SampleRow stateSlot(int slot) {
        ct_sample_row.state_slot(struct, slot);
        return this;
    }

    /** Rows of the masks: tokens whose bit is 0 in either are banned; {@link #NONE}: all pass. */
    public SampleRow masks(int maskRow, int allowedRow) {
        ct_sample_row.mask_row(struct, maskRow);
        ct_sample_row.allowed_row(struct, allowedRow);
        return this;
    }

    /**
     * Logprob and rank are wanted, and of so many likeliest tokens.
     *
     * @param processed of the distribution that is drawn from, else of the masked logits
     */
    public SampleRow logprobs(int numTop, boolean processed) {
        ct_sample_row.num_top(struct, numTop);
        int wanted = CortadoNative.CT_SAMPLE_LOGPROBS();
        return flag(wanted, true).flag(CortadoNative.CT_SAMPLE_PROCESSED(), processed);
    }

    /** Likeliest tokens that are wanted beside the row's own. */
    public int numTop() {
        return ct_sample_row.num_top(struct);
    }

    /** Log-probabilities are wanted, and not of the distribution that is drawn from. */
    public boolean hasRawLogprobs() {
        return hasFlag(CortadoNative.CT_SAMPLE_LOGPROBS())
                && !hasFlag(CortadoNative.CT_SAMPLE_PROCESSED());
    }

    /** What asks for no slot and gives nothing but a token: no penalties, no log-probabilities. */
    public SampleRow withoutCounts() {
        ct_sample_row.num_top(struct, 0);
        return penalties(1, 0, 0).flag(CortadoNative.CT_SAMPLE_LOGPROBS(), false);
    }

    /** topK keeps the k-th's equals: transformers' rule. */
    public SampleRow keepTies(boolean value) {
        return flag(CortadoNative.CT_SAMPLE_KEEP_TIES(), value);
    }

    /** The state slot is cleared before all else. */
    public SampleRow reset(boolean value) {
        return flag(CortadoNative.CT_SAMPLE_RESET(), value);
    }

    /**
     * The row reads its state slot, which rows of one call may then share, and changes nothing
     * there: its history counts on top, for this row alone. Not with reset or mirostat; only with
     * {@link SampleParams#sharesSlots}.
     */
    public SampleRow assume(boolean value) {
        return flag(CortadoNative.CT_SAMPLE_ASSUME(), value);
    }

    /** Entries of the bias that are added before all else. */
    public SampleRow bias(int begin, int end) {
        ct_sample_row.bias_begin(struct, begin);
        ct_sample_row.bias_end(struct, end);
        return this;
    }

    /** Entries of the bias that {@link SampleStep#DRY} adds. */
    public SampleRow dry(int begin, int end) {
        ct_sample_row.dry_begin(struct, begin);
        ct_sample_row.dry_end(struct, end);
        return this;
    }

    /**
     * Entries of the history that the state slot takes up, or that the row assumes: the prompt's,
     * then the output's.
     */
    public SampleRow history(int promptBegin, int outputBegin, int end) {
        ct_sample_row.prompt_begin(struct, promptBegin);
        ct_sample_row.output_begin(struct, outputBegin);
        ct_sample_row.history_end(struct, end);
        return this;
    }

    private boolean hasFlag(int flag) {
        return (ct_sample_row.flags(struct) & flag) != 0;
    }

    private SampleRow flag(int flag, boolean value) {
        int flags = ct_sample_row.flags(struct);
        ct_sample_row.flags(struct, value ? flags | flag : flags & ~flag);
        return this;
    }
}
