package io.cortado.engine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.api.FinishReason;
import io.cortado.api.Pooling;
import io.cortado.kv.BlockPool;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/**
 * The production loop and scheduler on a virtual clock with a simulated executor: random arrivals,
 * cancels, mixed lengths and a tiny KV cache, checked after every step.
 */
class SchedulerPropertyTest {
    private static final int STEPS = 100_000;
    private static final int STEPS_PER_WORLD = 2_000;
    private static final int VOCAB = 1000;

    @Test
    void keepsItsPromisesThroughARandomLife() {
        long seed = Long.getLong("cortado.seed", System.nanoTime());
        Random seeds = new Random(seed);
        try {
            for (int done = 0; done < STEPS; done += STEPS_PER_WORLD) {
                new World(new Random(seeds.nextLong())).run(STEPS_PER_WORLD);
            }
        } catch (AssertionError | RuntimeException e) {
            throw new AssertionError("re-run with -Dcortado.seed=" + seed, e);
        }
    }

    /** One engine without threads, and what is known about it from outside. */
    private static final class World {
        private final Random random;
        private final Limits limits;
        private final BlockPool pool;
        private final Door door;
        private final Checker checker;
        private final EngineLoop loop;
        private final List<Request> open = new ArrayList<>();
        private long now = 1;
        private int accepted;
        private int ended;

        World(Random random) {
            this.random = random;
            int blocks = 4 + random.nextInt(60);
            Limits usual = Limits.of(1 + random.nextInt(24), 16 + random.nextInt(200), blocks);
            limits =
                    new Limits(
                            usual.maxNumSeqs(),
                            usual.maxNumBatchedTokens(),
                            1 + random.nextInt(usual.maxScoreRows()),
                            random.nextInt(4),
                            random.nextInt(20),
                            usual.watermarkBlocks(),
                            random.nextBoolean() ? Integer.MAX_VALUE : 1 + random.nextInt(100));
            pool = new BlockPool(blocks);
            door = new Door(limits.maxNumSeqs(), 1_000_000);
            checker = new Checker(this);
            loop = new EngineLoop(pool, limits, checker, door, () -> now);
        }

        void run(int steps) {
            for (int i = 0; i < steps; i++) {
                now += 1 + random.nextInt(1000);
                if (random.nextInt(100) < 25 && open.size() < 60) {
                    arrive();
                }
                if (random.nextInt(100) < 4 && !open.isEmpty()) {
                    cancel(open.get(random.nextInt(open.size())));
                }
                step();
            }
            int bound = 200_000;
            while (!open.isEmpty()) {
                step();
                assertTrue(bound-- > 0, "some request never ends: " + open.size());
            }
            assertEquals(accepted, ended);
            assertEquals(0, pool.used());
        }

        private void arrive() {
            int capacity = pool.total() * BlockPool.BLOCK_TOKENS;
            int prompt = 1 + random.nextInt(Math.min(capacity, 1 + random.nextInt(400)));
            int room = capacity - prompt + 1;
            boolean pools = random.nextInt(4) == 0;
            int output = pools ? 0 : random.nextInt(Math.min(room, 1 + random.nextInt(120)) + 1);
            int n = !pools && random.nextInt(5) == 0 ? 1 + random.nextInt(4) : 1;
            boolean scored = !pools && random.nextInt(6) == 0;
            door.enter(n);
            RequestSpec spec =
                    new RequestSpec(
                            Requests.prompt(prompt),
                            n,
                            output,
                            random.nextLong(),
                            RowParams.RAW,
                            random.nextInt(3) - 1,
                            scored ? random.nextInt(3) : -1,
                            pools ? new PooledRow(anyPooling(), 1) : null,
                            () -> new StopRules(new int[] {7}, 0, output, null));
            Request request = new Request(spec, door, now);
            open.add(request);
            accepted++;
            loop.put(request);
        }

        private Pooling anyPooling() {
            return Pooling.values()[random.nextInt(Pooling.values().length)];
        }

        private void cancel(Request request) {
            request.cancel();
            loop.put(request);
        }

        private void step() {
            loop.step();
            now++;
            pool.check();
            int held = 0;
            boolean[] owned = new boolean[pool.total()];
            for (Request request : open) {
                for (Sequence sequence : request.sequences) {
                    for (int block : sequence.table.toArray()) {
                        assertFalse(owned[block], "a block belongs to two sequences");
                        owned[block] = true;
                        held++;
                    }
                    assertTrue(!sequence.hasEnded() || sequence.table.size() == 0, "leak");
                    assertTrue(sequence.preemptions <= limits.maxPreemptions(), "victim again");
                }
            }
            assertEquals(pool.used(), held, "blocks without an owner");
            open.removeIf(this::checkEnd);
        }

        private boolean checkEnd(Request request) {
            if (!request.hasEnded()) {
                return false;
            }
            ended++;
            assertEquals(0, request.openAnswers, "a request ended twice or in part");
            for (Sequence sequence : request.sequences) {
                checkAnswer(sequence, request.isCancelled());
            }
            PromptScores scores = request.scores;
            if (scores != null && !request.isCancelled()) {
                assertTrue(scores.isComplete(), "the prompt is not scored");
                for (int t = 1; t < request.prompt.length; t++) {
                    assertEquals(-request.prompt[t] / 100f, scores.logprobs[t]);
                }
            }
            PooledRow pooled = request.pooled;
            if (pooled != null && !request.isCancelled()) {
                int[] prompt = request.prompt;
                float expected =
                        switch (pooled.pooling) {
                            case MEAN -> IntStream.of(prompt).sum();
                            case LAST -> prompt[prompt.length - 1];
                            case CLS -> prompt[0];
                        };
                assertEquals(expected, pooled.sums[0], pooled.pooling + " of a prompt");
            }
            return true;
        }

        /** The tokens are the sequence's own, in order, up to its own end. */
        private void checkAnswer(Sequence sequence, boolean cancelled) {
            Answer answer = sequence.answer;
            for (int i = 0; i < answer.size(); i++) {
                int position = sequence.prompt.length + i;
                int token = SimulatedExecutor.tokenAt(sequence.seed, position, VOCAB);
                assertEquals(token, answer.id(i), "token " + i);
                boolean last = i == answer.size() - 1;
                assertTrue(token != 7 || last, "a token after the end");
            }
            switch (answer.reason()) {
                case FinishReason.Length _ -> assertEquals(sequence.maxOutput, answer.size());
                case FinishReason.EndToken end -> assertEquals(7, end.id());
                case FinishReason.StopString _ -> throw new AssertionError("no stop strings");
                case FinishReason.Cancelled _ -> assertTrue(cancelled, "cancelled by nobody");
            }
        }
    }

    /** Looks at each batch before it runs. */
    private static final class Checker extends SimulatedExecutor {
        private final World world;

        Checker(World world) {
            super(VOCAB, world.pool.total());
            this.world = world;
        }

        @Override
        public void submit(Batch batch) {
            super.submit(batch);
            assertTrue(batch.numTokens() <= world.limits.maxNumBatchedTokens(), "budget");
            assertTrue(batch.numSeqs() <= world.limits.maxNumSeqs(), "sequences");
            assertTrue(batch.numRows() <= world.limits.maxRows(), "rows");
            for (Request request : world.open) {
                for (Sequence sequence : request.sequences) {
                    assertTrue(
                            sequence.passedOver <= world.limits.maxPassedOver(),
                            "passed over too often: " + sequence.passedOver);
                    boolean decodes =
                            sequence.table.size() > 0
                                    && sequence.pending() == 1
                                    && sequence.nextScore >= sequence.prompt.length;
                    assertTrue(!decodes || contains(batch, sequence), "a decode was paused");
                }
            }
        }

        private static boolean contains(Batch batch, Sequence sequence) {
            for (int i = 0; i < batch.numSeqs(); i++) {
                if (batch.sequence(i) == sequence) {
                    return true;
                }
            }
            return false;
        }
    }
}
