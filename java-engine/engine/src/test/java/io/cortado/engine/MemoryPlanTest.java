package io.cortado.engine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.api.EngineException;
import io.cortado.api.EngineException.Code;
import io.cortado.api.EngineOptions;
import org.junit.jupiter.api.Test;

class MemoryPlanTest {
    private static final long BLOCK = 1000;

    /** 10,000 bytes of weights, 2,000 of workspaces, sequences of 10 blocks. */
    private static MemoryPlan plan(EngineOptions options, boolean isCpu) {
        return new MemoryPlan(
                options, isCpu, 10_000, 2_000, 0, BLOCK, 10, options.maxModelLen() > 0, null);
    }

    private static EngineOptions options() {
        return EngineOptions.defaults().maxNumSeqs(100).memoryUtilization(0.5);
    }

    private static EngineException refused(EngineOptions options, long free) {
        return assertThrows(EngineException.class, () -> plan(options, false).beforeLoading(free));
    }

    private static void expect(EngineException refused, Code code, String flag, String... words) {
        assertEquals(code, refused.code());
        assertEquals(flag, refused.param());
        String message = String.valueOf(refused.getMessage());
        assertTrue(message.startsWith(code + ": "), message);
        for (String word : words) {
            assertTrue(message.contains(word), message);
        }
    }

    @Test
    void refusesExpertsThatDoNotFitInHostMemory() {
        EngineOptions options = options().kvOffloadBytes(500);
        MemoryPlan.ExpertMemory tight = new MemoryPlan.ExpertMemory(8_000, 501, 10_000);
        MemoryPlan.ExpertMemory fits = new MemoryPlan.ExpertMemory(8_000, 500, 10_000);
        assertEquals(
                options.maxNumSeqs() * 10L,
                withExperts(options, fits).beforeLoading(10_000_000).blocks());
        expect(
                assertThrows(
                        EngineException.class,
                        () -> withExperts(options, tight).beforeLoading(10_000_000)),
                Code.WEIGHTS_DO_NOT_FIT,
                "expert-device",
                "host memory",
                "8.79 KiB");
    }

    private static MemoryPlan withExperts(EngineOptions options, MemoryPlan.ExpertMemory experts) {
        return new MemoryPlan(options, false, 10_000, 2_000, 0, BLOCK, 10, false, experts);
    }

    @Test
    void refusesWeightsThatDoNotFitWithTheFlagThatHelps() {
        expect(
                refused(options(), 19_998),
                Code.WEIGHTS_DO_NOT_FIT,
                "gpu-memory-utilization",
                "9.77 KiB",
                "to at least 0.66");
        expect(
                refused(options(), 9_000),
                Code.WEIGHTS_DO_NOT_FIT,
                "gpu-memory-utilization",
                "quantised");
    }

    @Test
    void refusesWorkspacesAndKeysThatDoNotFit() {
        expect(
                refused(options(), 23_998),
                Code.WORKSPACE_DOES_NOT_FIT,
                "max-num-batched-tokens",
                "--max-num-seqs");
        expect(
                refused(options(), 24_000),
                Code.KV_DOES_NOT_FIT,
                "gpu-memory-utilization",
                "--kv-cache-memory");
        expect(
                refused(options().maxModelLen(160), 24_000 + 2 * 9 * BLOCK),
                Code.KV_DOES_NOT_FIT,
                "max-model-len",
                "lower --max-model-len to 144",
                "9.77 KiB",
                "8.79 KiB");
        expect(
                refused(options().kvCacheBytes(9_999).maxModelLen(160), 1_000_000),
                Code.KV_DOES_NOT_FIT,
                "max-model-len",
                "raise --kv-cache-memory to 10000");
        expect(
                refused(options().kvCacheBytes(1), 1_000_000),
                Code.KV_DOES_NOT_FIT,
                "kv-cache-memory",
                "block=1000");
        expect(
                refused(options().kvCacheBytes(30_000), 41_000),
                Code.KV_DOES_NOT_FIT,
                "kv-cache-memory",
                "lower it to at most 29000");
    }

    @Test
    void takesWhatTheUtilizationLeaves() {
        MemoryPlan.KvSize size = plan(options(), false).beforeLoading(100_000);
        assertEquals(38, size.blocks());
        assertTrue(size.why().contains("--gpu-memory-utilization=0.5"), size.why());
        assertFalse(size.isAllThatIsUsed());
        assertEquals(38, plan(options(), true).beforeLoading(100_000).blocks());
        EngineOptions chosen = options().memoryUtilization(0);
        assertEquals(78, plan(chosen, false).beforeLoading(100_000).blocks());
        assertEquals(39, plan(chosen, true).beforeLoading(100_000).blocks());
    }

    @Test
    void takesNoMoreThanAllSequencesNeed() {
        MemoryPlan.KvSize size = plan(options().maxNumSeqs(3), false).beforeLoading(100_000);
        assertEquals(30, size.blocks());
        assertTrue(size.isAllThatIsUsed());
        assertTrue(size.why().contains("3 sequences of 160 tokens"), size.why());
    }

    @Test
    void takesTheAskedBytesWhateverTheUtilization() {
        MemoryPlan plan = plan(options().kvCacheBytes(80_500), false);
        assertEquals(80, plan.beforeLoading(100_000).blocks());
        assertEquals(80, plan.afterLoading(100_000, 90_000).blocks());
    }

    @Test
    void measuresAgainWhenTheWeightsAreThere() {
        MemoryPlan plan = plan(options(), false);
        assertEquals(38, plan.afterLoading(100_000, 90_000).blocks());
        // Others took 20,000 meanwhile, or loading took more than the weights.
        assertEquals(18, plan.afterLoading(100_000, 70_000).blocks());
        EngineException none =
                assertThrows(EngineException.class, () -> plan.afterLoading(100_000, 52_500));
        expect(none, Code.KV_DOES_NOT_FIT, "gpu-memory-utilization");
    }

    @Test
    void moreMemoryNeverGivesFewerBlocks() {
        int last = 0;
        for (long free = 30_000; free < 400_000; free += 1_234) {
            int blocks = plan(options(), true).beforeLoading(free).blocks();
            assertTrue(blocks >= last, "free: " + free);
            last = blocks;
        }
    }

    @Test
    void aPartThatIsNoneIsRefused() {
        for (double part : new double[] {-0.1, 1.1, Double.NaN}) {
            EngineException e =
                    assertThrows(
                            EngineException.class,
                            () -> EngineOptions.defaults().memoryUtilization(part));
            assertEquals("gpu-memory-utilization", e.param());
        }
    }
}
