package io.cortado.bench.scale;

import org.jspecify.annotations.Nullable;

/**
 * Decode steps by layout: the best batch that keeps the time between tokens and fits the memory.
 * Attention and experts take the longer of reading and computing; an exchange is hidden behind
 * computing where there are micro-batches to do so.
 */
public final class Layouts {
    private static final double GROWTH = 1.08;
    private static final int MAX_MICRO_BATCHES = 4;
    private static final int MOST_GPUS = 320;

    private final Gpu gpu;
    private final MoeModel model;
    private final double context;
    private final double balance;
    private final double maxStep;

    /**
     * @param context tokens that an answer attends to, on average
     * @param balance mean by greatest load of the ranks that hold experts
     * @param maxStep seconds between tokens
     */
    public Layouts(Gpu gpu, MoeModel model, double context, double balance, double maxStep) {
        this.gpu = gpu;
        this.model = model;
        this.context = context;
        this.balance = balance;
        this.maxStep = maxStep;
    }

    private interface Sized {
        @Nullable Layout of(double batch);
    }

    /** All matrices split over the GPUs, experts too; null where none fits. */
    public @Nullable Layout tensorParallel() {
        Layout best = null;
        for (int ranks = 1; ranks <= 16; ranks *= 2) {
            int number = ranks;
            best = better(best, largest(batch -> tensorParallel(number, batch)));
        }
        return best;
    }

    /** Whole attention on each GPU, experts spread over all of them. */
    public @Nullable Layout expertParallel() {
        Layout best = null;
        for (int ranks = 1; ranks <= Math.min(model.experts(), MOST_GPUS); ranks *= 2) {
            int number = ranks;
            best = better(best, largest(batch -> expertParallel(number, batch, 1)));
            best = better(best, largest(batch -> expertParallel(number, batch, 2)));
        }
        return best;
    }

    /** Attention on some GPUs, experts on others, micro-batches going to and fro. */
    public @Nullable Layout disaggregated() {
        Layout best = null;
        for (int ranks = 1; ranks <= model.experts(); ranks *= 2) {
            for (int attention = 1; attention + ranks <= MOST_GPUS; attention = next(attention)) {
                for (int micro = 1; micro <= MAX_MICRO_BATCHES; micro++) {
                    int a = attention;
                    int e = ranks;
                    int m = micro;
                    best = better(best, largest(batch -> disaggregated(a, e, m, batch)));
                }
            }
        }
        return best;
    }

    private static int next(int number) {
        return Math.max(number + 1, (int) (number * 1.2));
    }

    private static @Nullable Layout better(@Nullable Layout a, @Nullable Layout b) {
        return a == null || b != null && b.perGpu() > a.perGpu() ? b : a;
    }

    /** Of growing batches the best; what does not fit once does not fit later. */
    private static @Nullable Layout largest(Sized layout) {
        Layout best = null;
        for (double batch = 1; ; batch = Math.max(batch + 1, Math.floor(batch * GROWTH))) {
            Layout next = layout.of(batch);
            if (next == null) {
                return best;
            }
            best = better(best, next);
        }
    }

    private @Nullable Layout tensorParallel(int ranks, double batch) {
        double kvShare = Math.max(1.0 / ranks, 1.0 / model.kvHeads());
        double kv = batch * context * model.kvBytesPerLayer() * kvShare;
        double experts = model.experts() * model.expertParameters() * model.weightBytes() / ranks;
        double held = model.layers() * (attentionBytes() / ranks + experts + kv);
        double attention = attention(batch, 1.0 / ranks, kvShare);
        double products = experts(batch * model.chosen(), model.experts(), batch, 1.0 / ranks);
        double sums = 2 * gpu.allReduce(ranks, batch * model.returnedBytes());
        double step =
                model.layers() * (attention + products + sums) + vocabulary(batch, 1.0 / ranks);
        return fits(held + model.vocabularyBytes() / ranks, step)
                ? new Layout("TP " + ranks, ranks, batch, step, model.layers() * sums / step)
                : null;
    }

    private @Nullable Layout expertParallel(int ranks, double batch, int micro) {
        double held = (double) model.experts() / ranks;
        double part = batch / micro;
        double rows = part * model.chosen() / (ranks == 1 ? 1 : balance);
        double compute = attention(part, 1, 1) + experts(rows, held, part * ranks, 1);
        double away = ranks == 1 ? 0 : part * model.destinations(ranks) * (ranks - 1) / ranks;
        double exchange =
                ranks == 1
                        ? 0
                        : gpu.exchange(ranks, away * model.sentBytes())
                                + gpu.exchange(ranks, away * model.returnedBytes());
        double layer = micro == 1 ? compute + exchange : micro * Math.max(compute, exchange);
        double step = model.layers() * layer + vocabulary(batch, 1);
        double bytes =
                model.layers()
                                * (attentionBytes()
                                        + held * model.expertParameters() * model.weightBytes()
                                        + batch * context * model.kvBytesPerLayer())
                        + model.vocabularyBytes();
        String text = "EP %d, %d micro-batch%s".formatted(ranks, micro, micro == 1 ? "" : "es");
        double idle = model.layers() * (layer - micro * compute) / step;
        return fits(bytes, step) ? new Layout(text, ranks, batch * ranks, step, idle) : null;
    }

    /** The pipeline of MegaScale-Infer (arXiv 2504.02263), section 4. */
    private @Nullable Layout disaggregated(int attentionGpus, int ranks, int micro, double part) {
        double tokens = part * attentionGpus;
        double held = (double) model.experts() / ranks;
        double attention = attention(part, 1, 1);
        double rows = tokens * model.chosen() / ranks / (ranks == 1 ? 1 : balance);
        double products = experts(rows, held, tokens, 1);
        double perAttention = part * model.destinations(ranks);
        double perRank = tokens * model.destinations(ranks) / ranks;
        double wide = Math.max(perAttention, perRank / (ranks == 1 ? 1 : balance));
        int all = attentionGpus + ranks;
        double there = gpu.exchange(all, wide * model.sentBytes());
        double back = gpu.exchange(all, wide * model.returnedBytes());
        double longest = Math.max(Math.max(attention, products), Math.max(there, back));
        double layer = Math.max(attention + products + there + back, micro * longest);
        double step = model.layers() * layer + vocabulary(micro * part, 1);
        double kv = micro * part * context * model.kvBytesPerLayer();
        double onAttention = model.layers() * (attentionBytes() + kv) + model.vocabularyBytes();
        double onRank = model.layers() * held * model.expertParameters() * model.weightBytes();
        double busy = micro * (attention * attentionGpus + products * ranks) / all;
        String text =
                "%d attention : %d experts, %d micro-batches"
                        .formatted(attentionGpus, ranks, micro);
        return fits(Math.max(onAttention, onRank), step)
                ? new Layout(
                        text, all, micro * tokens, step, model.layers() * (layer - busy) / step)
                : null;
    }

    private boolean fits(double bytes, double step) {
        return bytes <= gpu.memoryBytes() && step <= maxStep;
    }

    private double attentionBytes() {
        return (model.attention() + model.sharedParameters()) * model.weightBytes();
    }

    /** A layer's attention and shared expert, of which a GPU has a part. */
    private double attention(double batch, double part, double kvPart) {
        double parameters = (model.attention() + model.sharedParameters()) * part;
        double linear =
                gpu.seconds(
                        parameters * model.weightBytes(),
                        2 * parameters * batch,
                        model.weightBytes());
        double pairs =
                gpu.seconds(
                        batch * context * model.kvBytesPerLayer() * kvPart,
                        batch * context * model.pairFlops() * part,
                        2);
        return linear + pairs;
    }

    /**
     * A layer's products.
     *
     * @param rows that a GPU computes
     * @param held experts of which it has a part
     * @param tokens whose choices may touch them
     */
    private double experts(double rows, double held, double tokens, double part) {
        double parameters = model.expertParameters() * part;
        return gpu.seconds(
                model.touched(held, tokens) * parameters * model.weightBytes(),
                2 * rows * parameters,
                model.weightBytes());
    }

    private double vocabulary(double batch, double part) {
        double parameters = (double) model.vocabulary() * model.hidden() * part;
        return gpu.seconds(2 * parameters, 2 * parameters * batch, 2);
    }
}
