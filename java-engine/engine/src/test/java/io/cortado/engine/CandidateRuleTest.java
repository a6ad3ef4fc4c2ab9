package io.cortado.engine;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.cortado.api.Dry;
import io.cortado.device.SampleRow;
import io.cortado.device.SampleStep;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class CandidateRuleTest {
    private static final int WHOLE = 0;
    private static final int[] NO_IDS = {};
    private static final float BAN = Float.NEGATIVE_INFINITY;

    private static SampleRow row() {
        return new SampleRow().temperature(0.8f).topK(40);
    }

    private static int count(SampleRow row) {
        return CandidateRule.count(RowParams.plain(row), 0, 0);
    }

    private static RowParams biased(SampleRow row, float... values) {
        return with(row, values, NO_IDS, null, null);
    }

    private static RowParams with(
            SampleRow row,
            float[] values,
            int[] promptMarks,
            int @Nullable [] allowed,
            @Nullable DryRule dry) {
        int[] ids = new int[values.length];
        for (int i = 0; i < ids.length; i++) {
            ids[i] = i;
        }
        return new RowParams(
                row,
                ids,
                values,
                allowed,
                promptMarks,
                row.hasPenalties(),
                false,
                null,
                dry,
                List.of(),
                null);
    }

    @Test
    void whatIsKeptDecides() {
        assertEquals(1, count(new SampleRow().temperature(0)));
        assertEquals(1, count(new SampleRow().temperature(0).topP(0.5f)));
        assertEquals(40, count(row()));
        assertEquals(40, count(row().topP(0.9f).minP(0.1f).typicalP(0.5f).xtc(0.5f, 0.1f)));
        assertEquals(WHOLE, count(new SampleRow()));
        assertEquals(WHOLE, count(new SampleRow().topP(0.9f)));
        assertEquals(WHOLE, count(new SampleRow().minP(0.1f)));
        assertEquals(WHOLE, count(row().dynamicTemperature(0.5f, 1)));
        assertEquals(WHOLE, count(row().keepTies(true)));
    }

    @Test
    void stepsBeforeTopKThatLookAtAllLogitsNeedThem() {
        SampleStep[] topPFirst = {SampleStep.TEMPERATURE, SampleStep.TOP_P, SampleStep.TOP_K};
        assertEquals(WHOLE, count(row().topP(0.9f).order(topPFirst)));
        assertEquals(40, count(row().order(topPFirst)));
        SampleStep[] topKFirst = {SampleStep.TOP_K, SampleStep.TOP_P, SampleStep.TEMPERATURE};
        assertEquals(40, count(row().topP(0.9f).dynamicTemperature(0.5f, 1).order(topKFirst)));
        assertEquals(WHOLE, count(row().order(SampleStep.TYPICAL_P, SampleStep.TOP_K)));
        assertEquals(WHOLE, count(row().order(SampleStep.TEMPERATURE, SampleStep.TOP_P)));
    }

    @Test
    void whatIsReportedIsAmongThem() {
        assertEquals(20, count(new SampleRow().temperature(0).logprobs(20, false)));
        assertEquals(20, count(new SampleRow().temperature(0).logprobs(20, true)));
        assertEquals(40, count(row().logprobs(20, false)));
    }

    @Test
    void eachTokenThatMayFallMakesRoomForOne() {
        assertEquals(42, CandidateRule.count(biased(row(), -1, -2), 0, 0));
        assertEquals(43, CandidateRule.count(biased(row(), -1, BAN), 0, 1));
        SampleRow penalised = row().penalties(1.2f, 0.5f, 0.5f);
        RowParams params = with(penalised, new float[0], new int[] {5, 6, 7}, null, null);
        assertEquals(40 + 3 + 9, CandidateRule.count(params, 9, 0));
    }

    @Test
    void whatMayRiseNeedsTheRow() {
        assertEquals(WHOLE, CandidateRule.count(biased(row(), -1, 1e-30f), 0, 0));
        assertEquals(WHOLE, count(row().penalties(0.9f, 0, 0)));
        assertEquals(WHOLE, count(row().penalties(1, -0.1f, 0)));
        assertEquals(WHOLE, count(row().penalties(1, 0, -0.1f)));
    }

    @Test
    void masksAndDryNeedTheRow() {
        assertEquals(
                WHOLE, CandidateRule.count(with(row(), new float[0], NO_IDS, NO_IDS, null), 0, 0));
        DryRule dry = new DryRule(Dry.OFF, DryBreakers.NONE);
        assertEquals(
                WHOLE, CandidateRule.count(with(row(), new float[0], NO_IDS, null, dry), 0, 0));
    }

    @Test
    void bansNeedTheRowWhereItsMassIsReported() {
        SampleRow reported = row().logprobs(1, false);
        assertEquals(WHOLE, CandidateRule.count(biased(reported, BAN), 0, 0));
        assertEquals(WHOLE, CandidateRule.count(RowParams.plain(reported), 0, 1));
        assertEquals(41, CandidateRule.count(biased(reported, -1), 0, 0));
        assertEquals(41, CandidateRule.count(biased(row().logprobs(1, true), BAN), 0, 0));
    }
}
