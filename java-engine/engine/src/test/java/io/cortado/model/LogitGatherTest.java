package io.cortado.model;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.device.Buffer;
import io.cortado.device.Device;
import io.cortado.device.SampleRow;
import io.cortado.device.Staging;
import io.cortado.device.Stream;
import io.cortado.gang.HostCollectives;
import io.cortado.gang.InProcessGang;
import io.cortado.gang.LateTransport;
import io.cortado.gang.Transport;
import io.cortado.sampling.SampleState;
import io.cortado.sampling.Sampler;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Objects;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Rows of candidates are drawn and reported as the whole rows are, bit for bit. */
class LogitGatherTest {
    private static final int ROWS = 24;
    private static final int STEPS = 12;
    private static final int TOPS = 20;
    private static final int PENALISED = 8;
    private static final long SEED = Long.getLong("cortado.seed", 20261130);

    /** A row's logits, how it is drawn, and how many candidates are enough. */
    private record Drawn(float[] logits, SampleRow params, int candidates, int[] bias, int[] seen) {
        boolean isWhole() {
            return candidates == 0;
        }
    }

    /** What a sampler says of rows. */
    private record Results(
            int[] tokens, int[] logprobs, int[] ranks, int[] statuses, int[] ids, int[] tops) {
        static Results read(Sampler sampler) {
            int[] tokens = new int[ROWS];
            float[] logprobs = new float[ROWS];
            int[] ranks = new int[ROWS];
            int[] statuses = new int[ROWS];
            int[] ids = new int[ROWS * TOPS];
            float[] tops = new float[ROWS * TOPS];
            sampler.read(ROWS, tokens, logprobs, ranks, statuses);
            sampler.readTops(ROWS, TOPS, ids, tops);
            return new Results(tokens, bits(logprobs), ranks, statuses, ids, bits(tops));
        }

        private static int[] bits(float[] values) {
            int[] bits = new int[values.length];
            Arrays.setAll(bits, i -> Float.floatToRawIntBits(values[i]));
            return bits;
        }

        void assertSame(Results other, String where) {
            assertArrayEquals(tokens, other.tokens, where);
            assertArrayEquals(statuses, other.statuses, where);
            assertArrayEquals(ranks, other.ranks, where);
            assertArrayEquals(ids, other.ids, where);
            assertArrayEquals(logprobs, other.logprobs, where);
            assertArrayEquals(tops, other.tops, where);
        }
    }

    /** As a model of that size has it. */
    private static int stride(int width, int ranks) {
        return Math.ceilDiv(Math.ceilDiv(width, ranks), 16) * 16;
    }

    /** Ties, and rows that fail, among the usual. */
    private static float[] logits(Random random, int width) {
        int kind = random.nextInt(8);
        float[] logits = new float[width];
        for (int id = 0; id < width; id++) {
            float any = (float) (random.nextGaussian() * 4);
            logits[id] =
                    switch (kind) {
                        case 0 -> Math.round(any);
                        case 1 -> random.nextInt(2) == 0 ? any : Float.NEGATIVE_INFINITY;
                        case 2 -> random.nextInt(200) == 0 ? -0f : 0f;
                        case 3 -> id == width / 2 ? 30 : any / 100;
                        default -> any;
                    };
        }
        if (random.nextInt(12) == 0) {
            logits[random.nextInt(width)] = random.nextBoolean() ? Float.NaN : Float.MAX_VALUE * 2;
        }
        if (random.nextInt(16) == 0) {
            Arrays.fill(logits, Float.NEGATIVE_INFINITY);
        }
        return logits;
    }

    private static Drawn row(Random random, int width, int most, int drawable) {
        SampleRow row = new SampleRow().random(random.nextLong(), random.nextInt(1000), 0);
        boolean isGreedy = random.nextInt(3) == 0;
        row.temperature(isGreedy ? 0 : 0.3f + random.nextFloat() * 2);
        row.topK(isGreedy ? random.nextInt(3) : 1 + random.nextInt(Math.min(60, most / 2)));
        row.topP(random.nextBoolean() ? 1 : 0.5f + random.nextFloat() / 2);
        row.minP(random.nextInt(3) == 0 ? random.nextFloat() / 10 : 0);
        row.typicalP(random.nextInt(4) == 0 ? 0.8f : 0);
        row.xtc(random.nextInt(4) == 0 ? 0.5f : 0, 0.1f);
        int tops = random.nextInt(4) == 0 ? 1 + random.nextInt(Math.min(TOPS, most / 4)) : 0;
        if (tops > 0 || random.nextInt(3) == 0) {
            row.logprobs(tops, random.nextInt(3) == 0);
        }
        float[] logits = logits(random, width);
        int[] bias = ids(random, random.nextInt(4) == 0 ? 3 : 0, logits, drawable);
        int[] seen = ids(random, random.nextInt(3) == 0 ? PENALISED : 0, logits, drawable);
        if (seen.length > 0) {
            row.penalties(1 + random.nextFloat(), random.nextFloat(), random.nextFloat());
        }
        int enough = Math.max(row.numDecisive(), tops) + bias.length + seen.length;
        boolean isWhole = random.nextInt(4) == 0 || enough > most;
        return new Drawn(logits, row, isWhole ? 0 : enough, bias, seen);
    }

    /** Of the likeliest, for to change those matters. */
    private static int[] ids(Random random, int count, float[] logits, int drawable) {
        int[] likeliest =
                IntStream.range(0, drawable)
                        .boxed()
                        .sorted(Comparator.comparing((Integer id) -> -logits[id]))
                        .limit(2L * PENALISED)
                        .mapToInt(Integer::intValue)
                        .toArray();
        return random.ints(count, 0, likeliest.length).map(i -> likeliest[i]).toArray();
    }

    private static void fill(Sampler sampler, SampleState state, List<Drawn> rows) {
        sampler.begin(state);
        for (int i = 0; i < rows.size(); i++) {
            Drawn row = rows.get(i);
            SampleRow added = sampler.add(row.params);
            for (int id : row.bias) {
                sampler.bias(id, -1.5f);
            }
            if (row.seen.length > 0) {
                added.stateSlot(i).reset(true);
                sampler.prompt(row.seen, 0, row.seen.length / 2);
                sampler.output(row.seen, row.seen.length / 2, row.seen.length / 2);
            }
        }
    }

    /** What one rank does with all steps; the first gives what was drawn from what it got. */
    private static List<Results> run(
            Transport transport, List<List<Drawn>> steps, int width, int drawable)
            throws InterruptedException {
        int size = transport.size();
        int rank = transport.rank();
        int stride = stride(width, size);
        List<Results> all = new ArrayList<>();
        try (HostCollectives ranks = new HostCollectives(transport, TimeUnit.SECONDS.toNanos(60));
                Device device = Device.open("cpu", 1 + rank % 2, "auto");
                Staging staging = new Staging(device);
                Buffer logits = device.createBuffer(bytes(width, size, rank));
                SampleState state = new SampleState(device, ROWS, drawable);
                Stream stream = device.createStream();
                LogitGather gather =
                        new LogitGather(device, staging, ranks, width, stride, ROWS, logits);
                Sampler sampler = new Sampler(device, ROWS, TOPS, drawable, width)) {
            if (rank == 0) {
                sampler.weighRows(
                        Objects.requireNonNull(gather.masses()),
                        Objects.requireNonNull(gather.largest()));
            }
            RowCandidates candidates = new RowCandidates(ROWS);
            candidates.drawableIds(drawable);
            for (List<Drawn> rows : steps) {
                for (int row = 0; row < ROWS; row++) {
                    describe(candidates, row, rows.get(row));
                    int first = rank * stride;
                    int cols = Math.min(stride, width - first);
                    float[] part = Arrays.copyOfRange(rows.get(row).logits, first, first + cols);
                    long at = (long) row * stride;
                    for (int i = 0; i < cols; i++) {
                        gather.ownLogits().host().setAtIndex(JAVA_FLOAT, at + i, part[i]);
                    }
                }
                gather.enqueue(candidates, ROWS, stream);
                if (rank == 0) {
                    fill(sampler, state, rows);
                    sampler.enqueue(logits, TOPS, stream);
                }
                stream.synchronize();
                if (ranks.failure() != null) {
                    throw ranks.failure();
                }
                if (rank == 0) {
                    all.add(Results.read(sampler));
                    assertMasses(gather, rows);
                }
            }
            ranks.gather(new long[size], new long[1]);
        }
        return all;
    }

    private static void assertMasses(LogitGather gather, List<Drawn> rows) {
        for (int row = 0; row < ROWS; row++) {
            Buffer masses = Objects.requireNonNull(gather.masses());
            boolean isWeighed = masses.host().getAtIndex(JAVA_LONG, row) != 0;
            Drawn of = rows.get(row);
            boolean isAskedFor = !of.isWhole() && of.params.hasRawLogprobs();
            assertTrue(isAskedFor || !isWeighed);
        }
    }

    private static void describe(RowCandidates candidates, int row, Drawn drawn) {
        if (drawn.isWhole()) {
            candidates.whole(row);
        } else {
            candidates.candidates(row, drawn.candidates, drawn.params.hasRawLogprobs());
        }
    }

    private static long bytes(int width, int size, int rank) {
        return rank == 0
                ? 4L * ROWS * width
                : size * LogitGather.partBytes(ROWS, stride(width, size));
    }

    private static List<Results> ofWholeRows(List<List<Drawn>> steps, int width, int drawable) {
        List<Results> all = new ArrayList<>();
        try (Device device = Device.open("cpu", 2, "auto");
                Buffer logits = device.createBuffer(4L * ROWS * width);
                SampleState state = new SampleState(device, ROWS, drawable);
                Stream stream = device.createStream();
                Sampler sampler = new Sampler(device, ROWS, TOPS, drawable, width)) {
            for (List<Drawn> rows : steps) {
                for (int i = 0; i < ROWS * width; i++) {
                    float logit = rows.get(i / width).logits[i % width];
                    logits.host().setAtIndex(JAVA_FLOAT, i, logit);
                }
                fill(sampler, state, rows);
                sampler.enqueue(logits, TOPS, stream);
                stream.synchronize();
                all.add(Results.read(sampler));
            }
        }
        return all;
    }

    private static List<Results> ofRanks(
            int size, List<List<Drawn>> steps, int width, int drawable, long seed)
            throws Exception {
        Transport[] ranks = InProcessGang.create(size);
        List<Future<List<Results>>> all = new ArrayList<>();
        try (ExecutorService threads = Executors.newFixedThreadPool(size)) {
            for (Transport rank : ranks) {
                Transport late = new LateTransport(rank, seed);
                all.add(threads.submit(() -> run(late, steps, width, drawable)));
            }
        }
        for (Future<List<Results>> one : all) {
            one.get();
        }
        return all.getFirst().get();
    }

    /** Ranks, logits of a row, those of them that may be drawn. */
    @ParameterizedTest
    @CsvSource({
        "2,300,300",
        "2,1000,937",
        "3,1001,1001",
        "4,2000,1999",
        "4,4099,3000",
        "4,250,180"
    })
    void drawsWhatWholeRowsDraw(int size, int width, int drawable) throws Exception {
        for (int draw = 0; draw < 4; draw++) {
            Random random = new Random(SEED + draw);
            List<List<Drawn>> steps = new ArrayList<>();
            int most = LogitGather.mostCandidates(stride(width, size));
            int ofCandidates = 0;
            for (int step = 0; step < STEPS; step++) {
                List<Drawn> rows = new ArrayList<>();
                for (int row = 0; row < ROWS; row++) {
                    rows.add(row(random, width, most, drawable));
                    ofCandidates += rows.getLast().isWhole() ? 0 : 1;
                }
                steps.add(rows);
            }
            assertTrue(ofCandidates > STEPS * ROWS / 4, "few rows of candidates");
            List<Results> whole = ofWholeRows(steps, width, drawable);
            List<Results> shared = ofRanks(size, steps, width, drawable, draw);
            assertEquals(whole.size(), shared.size());
            for (int step = 0; step < STEPS; step++) {
                String where = "-Dcortado.seed=" + SEED + " draw " + draw + " step " + step;
                whole.get(step).assertSame(shared.get(step), where);
            }
        }
    }

    @Test
    void fewerCandidatesThanDecideAreNotEnough() throws Exception {
        int width = 1000;
        float[] logits = new float[width]; // the first tokens are all of the first rank
        for (int id = 0; id < width; id++) {
            logits[id] = -id / 100f;
        }
        List<Drawn> rows = new ArrayList<>();
        for (int row = 0; row < ROWS; row++) {
            SampleRow params = new SampleRow().random(row, row, 0).topK(40);
            rows.add(new Drawn(logits, params, 2, new int[0], new int[0]));
        }
        Results whole = ofWholeRows(List.of(rows), width, width).getFirst();
        Results shared = ofRanks(2, List.of(rows), width, width, 1).getFirst();
        assertTrue(!Arrays.equals(whole.tokens, shared.tokens));
    }
}
