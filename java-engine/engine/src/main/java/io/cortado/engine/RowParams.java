package io.cortado.engine;

import io.cortado.api.LogitsProcessorFactory;
import io.cortado.device.SampleRow;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * How a request's rows are drawn, made once at the door.
 *
 * @param row what no step changes
 * @param biasIds ids with a bias, beside {@code biasValues}; minus infinity bans
 * @param allowedMask a bit a token; null: all are allowed
 * @param promptMarks ids of the prompt, each once, that penalties know; empty where none asks
 * @param hasState the device counts what is drawn
 * @param keepsState what the device counts cannot be made again: the sequence is never thrown out
 * @param badWords null: none that depends on the output
 * @param dry null: off
 * @param processors those of the request's own
 * @param guide what the output has to be; null: anything
 */
record RowParams(
        SampleRow row,
        int[] biasIds,
        float[] biasValues,
        int @Nullable [] allowedMask,
        int[] promptMarks,
        boolean hasState,
        boolean keepsState,
        @Nullable BadWords badWords,
        @Nullable DryRule dry,
        List<LogitsProcessorFactory> processors,
        @Nullable GuideRules guide) {

    private static final int[] NO_IDS = {};

    /** Greedy and nothing else: of a row that scores a prompt token, or that nobody reads. */
    static final RowParams RAW = plain(new SampleRow().temperature(0));

    /** With nothing beside the row. */
    static RowParams plain(SampleRow row) {
        return new RowParams(
                row, NO_IDS, new float[0], null, NO_IDS, false, false, null, null, List.of(), null);
    }

    /**
     * True if a token that the constraint leaves no choice about needs no row: nothing else bans
     * it, and the device counts no tokens.
     */
    boolean mayForce() {
        return guide != null
                && !hasState
                && biasIds.length == 0
                && allowedMask == null
                && badWords == null
                && processors.isEmpty();
    }

    /**
     * True if the token that is drawn without a constraint's mask, where the mask has it, is the
     * one that is drawn with it: the first of an order in which each token stands by itself. And
     * nothing else learns of a draw that is thrown away.
     */
    boolean mayDrawUnmasked() {
        return row.isGreedy() && !hasState && processors.isEmpty();
    }

    /** True if the host has to know the last token before the next can be drawn. */
    boolean followsTokens() {
        return badWords != null || dry != null || guide != null || !processors.isEmpty();
    }
}
