package io.cortado.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.device.SampleRow;
import io.cortado.engine.Devices;
import io.cortado.model.DraftHead.Features;
import io.cortado.model.Eagle3Bed.Rows;
import io.cortado.sampling.Sampler;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

/**
 * What an EAGLE-3 head gives does not depend on the batch, the chunks and what was there before.
 */
class Eagle3ChainTest {
    private static final int NUM_DRAFTS = 4;

    /** The prompt of most tests, of 184 tokens. */
    private static final int LONGEST = 2;

    private static int[] ids(int prompt) throws IOException {
        return Eagle3Bed.ints(Eagle3Bed.prompts().get(prompt).path("ids"));
    }

    private static int next(int prompt) throws IOException {
        return Eagle3Bed.prompts().get(prompt).path("target_greedy").path(0).asInt();
    }

    /** All prompts, a chain of drafts each, in batches without a read by the host. */
    private static List<List<Integer>> draftTogether(Eagle3Bed bed) throws IOException {
        List<Rows> rows = new ArrayList<>();
        List<Rows> shifted = new ArrayList<>();
        int first = 0;
        for (int prompt = 0; prompt < Eagle3Bed.prompts().size(); prompt++) {
            int[] ids = ids(prompt);
            rows.add(new Rows(prompt, 0, ids, 0));
            shifted.add(new Rows(prompt, 0, Eagle3Bed.shifted(ids, next(prompt)), first));
            first += ids.length;
        }
        bed.step(rows.toArray(Rows[]::new));
        return bed.chain(NUM_DRAFTS, shifted.toArray(Rows[]::new));
    }

    private static List<Integer> golden(JsonNode prompt) {
        return Arrays.stream(Eagle3Bed.ints(prompt.path("draft_tokens"))).boxed().toList();
    }

    @ParameterizedTest
    @ValueSource(strings = {"cpu", "simt:0"})
    void aBatchOfChainsIsDraftedOnTheDeviceAlone(String device) throws IOException {
        Devices.assumePresent(device);
        try (Eagle3Bed bed = new Eagle3Bed(device, Activations.F32)) {
            List<List<Integer>> drafts = draftTogether(bed);
            for (int prompt = 0; prompt < drafts.size(); prompt++) {
                assertEquals(golden(Eagle3Bed.prompts().get(prompt)), drafts.get(prompt));
            }
        }
    }

    /** By how much the reference's drafts lead is told for each prompt. */
    @Test
    void bf16DraftsTheSameWhereItIsNotClose() throws IOException {
        try (Eagle3Bed bed = new Eagle3Bed("cpu", Activations.BF16)) {
            List<List<Integer>> drafts = draftTogether(bed);
            int compared = 0;
            for (int prompt = 0; prompt < drafts.size(); prompt++) {
                JsonNode golden = Eagle3Bed.prompts().get(prompt);
                if (golden.path("draft_margin_min").asDouble() > 1) {
                    assertEquals(golden(golden), drafts.get(prompt));
                    compared++;
                }
            }
            assertEquals(2, compared);
        }
    }

    /** The target's step and the head's pass of tokens [from, to) of a prompt. */
    private static void advance(Eagle3Bed bed, int slot, int[] ids, int from, int to, int next) {
        bed.step(new Rows(slot, from, Arrays.copyOfRange(ids, from, to), 0));
        int[] shifted = Eagle3Bed.shifted(ids, next);
        bed.pass(Features.TARGET, new Rows(slot, from, Arrays.copyOfRange(shifted, from, to), 0));
    }

    @Test
    void chunksOfAPromptGiveTheSameBits() throws IOException {
        int[] ids = ids(LONGEST);
        try (Eagle3Bed bed = new Eagle3Bed("cpu", Activations.F32)) {
            advance(bed, 0, ids, 0, ids.length, next(LONGEST));
            float[] whole = bed.draftLogits(0);
            for (int chunk : new int[] {1, 7, 16, 150}) {
                for (int from = 0; from < ids.length; from += chunk) {
                    int to = Math.min(ids.length, from + chunk);
                    advance(bed, 1, ids, from, to, next(LONGEST));
                }
                assertArrayEquals(whole, bed.draftLogits(0), "chunks of " + chunk);
            }
        }
    }

    @Test
    void blocksThatMoveThroughTheHostTierTakeTheHeadsKeysAlong() throws IOException {
        int[] ids = ids(LONGEST);
        int cached = 5;
        try (Eagle3Bed bed = new Eagle3Bed("cpu", Activations.F32);
                KvTiers tiers = bed.target.createTiers(cached, bed.head);
                KvTiers.Pairs pairs = tiers.createPairs()) {
            advance(bed, 0, ids, 0, ids.length, next(LONGEST));
            float[] whole = bed.draftLogits(0);
            int[] down = new int[2 * cached];
            int[] up = new int[2 * cached];
            for (int i = 0; i < cached; i++) {
                down[2 * i] = Eagle3Bed.block(0, i);
                down[2 * i + 1] = i;
                up[2 * i] = i;
                up[2 * i + 1] = Eagle3Bed.block(1, i);
            }
            pairs.toHost(down, cached);
            pairs.toDevice(up, cached);
            tiers.enqueue(pairs, bed.stream);
            advance(bed, 1, ids, cached * 16, ids.length, next(LONGEST));
            assertArrayEquals(whole, bed.draftLogits(0));
            assertEquals(
                    bed.target.kvBytesPerBlock() + bed.head.kvBytesPerBlock(), tiers.recordBytes());
        }
    }

    @Test
    void rowsOfAcceptedTokensTakeThePlaceOfTheChains() throws IOException {
        int[] ids = ids(LONGEST);
        int[] greedy = Eagle3Bed.ints(Eagle3Bed.prompts().get(LONGEST).path("target_greedy"));
        int[] all = Arrays.copyOf(ids, ids.length + 3);
        System.arraycopy(greedy, 0, all, ids.length, 3);
        try (Eagle3Bed bed = new Eagle3Bed("cpu", Activations.F32)) {
            advance(bed, 0, all, 0, all.length, greedy[3]);
            float[] straight = bed.draftLogits(0);
            bed.step(new Rows(1, 0, ids, 0));
            bed.chain(NUM_DRAFTS, new Rows(1, 0, Eagle3Bed.shifted(ids, greedy[0]), 0));
            advance(bed, 1, all, ids.length, all.length, greedy[3]);
            assertArrayEquals(straight, bed.draftLogits(0));
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"cpu", "simt:0"})
    void aSamplerGivesTheLikeliestIdsForATreeAndDraftsByDrawing(String device) throws IOException {
        Devices.assumePresent(device);
        int[] ids = ids(0);
        int tops = 8;
        JsonNode golden = Eagle3Bed.prompts().getFirst().path("steps").path(0);
        int vocab = 1024;
        try (Eagle3Bed bed = new Eagle3Bed(device, Activations.F32);
                Sampler sampler = new Sampler(bed.device, 2, tops, vocab, vocab)) {
            bed.step(new Rows(0, 0, ids, 0));
            bed.pass(Features.TARGET, new Rows(0, 0, Eagle3Bed.shifted(ids, next(0)), 0));
            sampler.begin(null);
            sampler.add(new SampleRow().temperature(0).logprobs(tops, false));
            sampler.enqueue(bed.head.logits(), tops, bed.stream);
            bed.head.translate(bed.drafts, 1, sampler.tokens(), 1, bed.stream);
            bed.drafts.download(2, bed.stream);
            bed.stream.synchronize();
            int[] topIds = new int[2 * tops];
            sampler.readTops(1, tops, topIds, new float[2 * tops]);
            int[] expected = Eagle3Bed.ints(golden.path("top_draft_ids"));
            assertArrayEquals(expected, Arrays.copyOf(topIds, tops));
            assertEquals(bed.head.targetId(topIds[0]), bed.drafts.token(1, 0));
        }
    }

    @Test
    void aRowThatIsNotANumberDraftsNothingAndChangesNoOther() throws IOException {
        int[] ids = ids(0);
        try (Eagle3Bed bed = new Eagle3Bed("cpu", Activations.F32)) {
            Rows alone = new Rows(0, 0, Eagle3Bed.shifted(ids, next(0)), 0);
            bed.step(new Rows(0, 0, ids, 0), new Rows(1, 0, ids, 0));
            List<Integer> expected = bed.chain(NUM_DRAFTS, alone).getFirst();
            int outside = bed.config.vocabSize();
            Rows broken = new Rows(1, 0, Eagle3Bed.shifted(ids, outside), ids.length);
            List<List<Integer>> drafts = bed.chain(NUM_DRAFTS, broken, alone);
            assertEquals(List.of(-1, -1, -1, -1), drafts.get(0));
            assertEquals(expected, drafts.get(1));
            assertTrue(Float.isNaN(bed.draftLogits(0)[0]));
        }
    }
}
