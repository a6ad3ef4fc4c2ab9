package io.cortado.engine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.api.FinishReason;
import io.cortado.api.Pooling;
import io.cortado.api.Scheduling;
import io.cortado.api.Speculation;
import io.cortado.kv.BlockFork;
import io.cortado.kv.BlockPool;
import io.cortado.kv.DiskTier;
import io.cortado.kv.KvCache;
import io.cortado.kv.Transfer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.logging.Level;
import java.util.logging.Logger;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/**
 * The production loop and scheduler on a virtual clock with a simulated executor: random arrivals,
 * cancels, mixed lengths and a tiny KV cache, checked after every step.
 */
class SchedulerPropertyTest {
    private static final int STEPS = Integer.getInteger("cortado.steps", 100_000);
    private static final int STEPS_PER_WORLD = 2_000;
    private static final int VOCAB = 1000;

    private static final Logger LOG = Logger.getLogger(Speculator.class.getName());

    /** Proposers fail here on purpose. */
    @BeforeAll
    static void beQuiet() {
        LOG.setLevel(Level.OFF);
    }

    @AfterAll
    static void speakAgain() {
        LOG.setLevel(null);
    }

    @Test
    void keepsItsPromisesThroughARandomLife() {
        long seed = Long.getLong("cortado.seed", System.nanoTime());
        Random seeds = new Random(seed);
        Sights sights = new Sights();
        try {
            for (int done = 0; done < STEPS; done += STEPS_PER_WORLD) {
                new World(new Random(seeds.nextLong()), sights).run(STEPS_PER_WORLD);
            }
            sights.requireAll();
        } catch (AssertionError | RuntimeException e) {
            throw new AssertionError("re-run with -Dcortado.seed=" + seed, e);
        }
    }

    /** What a random life must have come across, or the test proves nothing about it. */
    private static final class Sights {
        private long toHost;
        private long toDevice;
        private long copies;
        private long reused;
        private long preemptions;
        private long toDisk;
        private long fromDisk;
        private long drafted;
        private long forks;
        private long accepted;

        void requireAll() {
            assertTrue(
                    Math.min(Math.min(toHost, toDevice), Math.min(copies, reused)) > 100
                            && Math.min(toDisk, fromDisk) > 100
                            && accepted > 100
                            && drafted > accepted + 100
                            && forks > 100
                            && preemptions > 100,
                    ("toHost=%d toDevice=%d copies=%d reused=%d preemptions=%d"
                                    + " toDisk=%d fromDisk=%d drafted=%d accepted=%d forks=%d")
                            .formatted(
                                    toHost,
                                    toDevice,
                                    copies,
                                    reused,
                                    preemptions,
                                    toDisk,
                                    fromDisk,
                                    drafted,
                                    accepted,
                                    forks));
        }
    }

    /** One engine without threads, and what is known about it from outside. */
    private static final class World {
        private final Random random;
        private final Sights sights;
        private final Limits limits;
        private final KvCache cache;
        private final BlockPool pool;
        private final int[][] topics = new int[3][];
        private final PrefixKeys prefixes;
        private final Door door;
        private final Checker checker;
        private final EngineLoop loop;
        private final List<Request> open = new ArrayList<>();
        private long now = 1;
        private int accepted;
        private int ended;

        World(Random random, Sights sights) {
            this.random = random;
            this.sights = sights;
            int blocks = 4 + random.nextInt(60);
            Speculation speculation = speculation();
            Limits usual = Limits.of(1 + random.nextInt(24), 16 + random.nextInt(200), blocks);
            limits =
                    new Limits(
                                    usual.maxNumSeqs(),
                                    usual.maxNumBatchedTokens(),
                                    1 + random.nextInt(usual.maxScoreRows()),
                                    random.nextInt(4),
                                    random.nextInt(20),
                                    usual.watermarkBlocks(),
                                    random.nextBoolean()
                                            ? Integer.MAX_VALUE
                                            : 1 + random.nextInt(100),
                                    random.nextBoolean()
                                            ? Limits.ANY_TIME
                                            : 1 + random.nextInt(2000),
                                    1 + random.nextInt(usual.maxNumSeqs()),
                                    0,
                                    0)
                            .drafts(speculation);
            int hostBlocks = random.nextInt(3) * random.nextInt(40);
            int diskBlocks = hostBlocks == 0 ? 0 : random.nextInt(3) * random.nextInt(100);
            cache = new KvCache(blocks, hostBlocks, diskBlocks);
            pool = cache.pool();
            prefixes = new PrefixKeys("world", random.nextInt(4) > 0, limits.otherAnglesAbove());
            for (int i = 0; i < topics.length; i++) {
                topics[i] = random.ints(600, 0, VOCAB).toArray();
            }
            door = new Door(limits.maxNumSeqs(), 1_000_000, 0);
            checker = new Checker(this, hostBlocks, diskBlocks);
            loop = new EngineLoop(cache, limits, policy(), checker, door, () -> now, speculation);
        }

        private Speculation speculation() {
            int most = 1 + random.nextInt(6);
            int size = 1 + random.nextInt(16);
            return switch (random.nextInt(6)) {
                case 0 -> Speculation.draftModel("simulated", most).adaptive(false);
                case 1 -> Speculation.draftModel("simulated", most).offAbove(8);
                case 3 -> Speculation.draftModel("simulated", most).tree(size, 3).adaptive(false);
                case 4 -> Speculation.draftModel("simulated", most).tree(size, 2);
                case 2 -> Speculation.suffix(most).lookup(1, 3);
                default -> Speculation.OFF;
            };
        }

        private AdmissionQueue policy() {
            return switch (random.nextInt(4)) {
                case 0 -> OrderedQueue.fcfs();
                case 1 -> OrderedQueue.priority();
                case 2 -> OrderedQueue.deadline();
                default -> new FairQueue(Map.of("tenant 1", 2.0));
            };
        }

        /** Begins like others, up to a random place. */
        private int[] prompt(int length) {
            int[] prompt = topics[random.nextInt(topics.length)].clone();
            for (int i = random.nextInt(length + 1); i < length; i++) {
                prompt[i] = random.nextInt(VOCAB);
            }
            return Arrays.copyOf(prompt, length);
        }

        private Scheduling scheduling() {
            return Scheduling.DEFAULT
                    .priority(random.nextInt(3))
                    .tenant("tenant " + random.nextInt(4))
                    .targets(1 + random.nextInt(50), 1 + random.nextInt(5))
                    .cacheSalt(random.nextInt(5) == 0 ? "salt" : "");
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
            sights.reused += loop.counters().snapshot().cache().reusedTokens();
            sights.drafted += loop.counters().snapshot().drafts().tokens();
            sights.accepted += loop.counters().snapshot().drafts().accepted();
            sights.preemptions += loop.counters().snapshot().preemptions();
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
            door.enter(n, prompt);
            int[] ids = prompt(prompt);
            Scheduling scheduling = scheduling();
            RequestSpec spec =
                    new RequestSpec(
                            ids,
                            n,
                            output,
                            random.nextLong(),
                            Requests.rules(random.nextInt(8)),
                            random.nextInt(3) - 1,
                            scored ? random.nextInt(3) : -1,
                            scheduling,
                            pools
                                    ? null
                                    : prefixes.of(ids, n, prompt + output, scheduling.cacheSalt()),
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
            BlockPool host = cache.hostPool();
            if (host != null) {
                host.check();
                DiskTier disk = cache.disk();
                assertEquals(
                        disk == null ? 0 : disk.open(),
                        host.used(),
                        "a move holds a block for ever");
                if (disk != null) {
                    disk.pool().check();
                    assertTrue(
                            disk.pool().used() <= disk.open(), "a transfer holds a block for ever");
                }
            }
            int[] held = new int[pool.total()];
            for (Request request : open) {
                for (Sequence sequence : request.sequences) {
                    for (int block : sequence.table.toArray()) {
                        held[block]++;
                    }
                    holdForks(sequence, held);
                    assertTrue(!sequence.hasEnded() || sequence.table.size() == 0, "leak");
                    assertTrue(sequence.preemptions <= limits.maxPreemptions(), "victim again");
                }
            }
            for (int block = 0; block < held.length; block++) {
                assertEquals(held[block], pool.owners(block), "owners of block " + block);
            }
            open.removeIf(this::checkEnd);
        }

        private void holdForks(Sequence sequence, int[] held) {
            Drafts drafts = sequence.drafts;
            for (int path = 1; drafts != null && path < drafts.paths().count(); path++) {
                sights.forks++;
                BlockFork fork = drafts.paths().fork(path);
                for (int i = 0; i < fork.size(); i++) {
                    held[fork.block(i)]++;
                }
            }
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
                    assertEquals(-request.prompt[t] / 100f, scores.logprob(t));
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

        Checker(World world, int hostBlocks, int diskBlocks) {
            super(VOCAB, world.pool.total(), hostBlocks, diskBlocks);
            this.world = world;
        }

        @Override
        public void start(Transfer transfer) {
            super.start(transfer);
            switch (transfer.kind()) {
                case TO_DISK -> world.sights.toDisk++;
                case FROM_DISK -> world.sights.fromDisk++;
            }
        }

        /** What drafts may fail. */
        @Override
        public void draft(Sequence[] sequences, int count) {
            super.draft(sequences, count);
            if (world.random.nextInt(1000) == 0) {
                throw new IllegalStateException("the proposer fails");
            }
        }

        @Override
        public void submit(Batch batch, KvCache cache) {
            super.submit(batch, cache);
            world.sights.toHost += cache.toHost().size();
            world.sights.toDevice += cache.toDevice().size();
            world.sights.copies += cache.copies().size();
            assertTrue(batch.numTokens() <= world.limits.maxNumBatchedTokens(), "budget");
            assertTrue(batch.numSeqs() <= world.limits.maxTables(), "rows of blocks");
            int sequences = batch.numSeqs() - batch.numForks();
            assertTrue(sequences <= world.limits.maxNumSeqs(), "sequences");
            assertTrue(batch.numForks() <= world.limits.maxForks(), "forks");
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
