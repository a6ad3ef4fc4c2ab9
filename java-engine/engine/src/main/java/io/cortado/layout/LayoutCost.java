package io.cortado.layout;

/**
 * Steps by layout: attention and experts take the longer of reading and computing; an exchange is
 * hidden behind computing where there are micro-batches to do so.
 */
public final class LayoutCost {
    /** Of ranks with experts: mean by greatest number of rows. */
    @FunctionalInterface
    public interface Balance {
        /**
         * @param tokens that choose at once
         * @param ranks at least 2
         */
        double of(double tokens, int ranks);
    }

    private final RankDevice device;
    private final LayoutModel model;
    private final Balance balance;
    private final int redundant;

    /**
     * @param redundant slots of each rank beside those that hold every expert once, where experts
     *     are spread
     */
    public LayoutCost(RankDevice device, LayoutModel model, Balance balance, int redundant) {
        if (redundant < 0) {
            throw new IllegalArgumentException("redundant must be 0 or more: " + redundant);
        }
        this.device = device;
        this.model = model;
        this.balance = balance;
        this.redundant = redundant;
    }

    /** What a step takes. */
    public StepTimes step(Layout layout, StepWork work) {
        return switch (layout) {
            case Layout.Tensor tensor -> tensor(tensor, work);
            case Layout.Spread spread -> spread(spread, work);
            case Layout.Apart apart -> apart(apart, work);
        };
    }

    private StepTimes tensor(Layout.Tensor layout, StepWork work) {
        int ranks = layout.ranks();
        double part = 1.0 / ranks;
        double kvPart = kvPart(ranks);
        double attention = attention(work, model.sharedParameters(), part, kvPart);
        double products = experts(work.tokens() * model.chosen(), model.experts(), work, part);
        double sums = device.allReduce(ranks, work.tokens() * model.returnedBytes());
        double dense = attention(work, model.denseParameters(), part, kvPart) + 2 * sums;
        double layer = attention + products + 2 * sums;
        double step = step(layer, dense, work.rows(), part);
        double idle = 2 * sums * (model.sparseLayers() + model.denseLayers()) / step;
        return new StepTimes(step, layer, attention, products, sums, sums, idle, idle);
    }

    private double kvPart(int ranks) {
        return Math.max(1.0 / ranks, 1.0 / model.kvHeads());
    }

    private StepTimes spread(Layout.Spread layout, StepWork work) {
        int ranks = layout.ranks();
        int micro = layout.microBatches();
        StepWork batch = work.over(micro);
        StepWork own = batch.over(ranks);
        double attention = attention(own, model.sharedParameters(), 1, 1);
        double products = products(ranks, batch);
        double away =
                ranks == 1 ? 0 : own.tokens() * model.destinations(ranks) * (ranks - 1) / ranks;
        double there = ranks == 1 ? 0 : device.exchange(ranks, away * model.sentBytes());
        double back = ranks == 1 ? 0 : device.exchange(ranks, away * model.returnedBytes());
        double compute = attention + products;
        double layer =
                micro == 1 ? compute + there + back : micro * Math.max(compute, there + back);
        double dense = attention(own.over(1.0 / micro), model.denseParameters(), 1, 1);
        double step = step(layer, dense, work.rows() / ranks, 1);
        double idle = model.sparseLayers() * (layer - micro * compute) / step;
        return new StepTimes(step, layer, attention, products, there, back, idle, idle);
    }

    private StepTimes apart(Layout.Apart layout, StepWork work) {
        int ranks = layout.expertRanks();
        int micro = layout.microBatches();
        StepWork batch = work.over(micro);
        StepWork own = batch.over(layout.attentionRanks());
        double attention = attention(own, model.sharedParameters(), 1, 1);
        double products = products(ranks, batch);
        double sent = own.tokens() * model.destinations(ranks);
        double received =
                batch.tokens() * model.destinations(ranks) / ranks / balance(batch.tokens(), ranks);
        double widest = Math.max(sent, received);
        double there = device.exchange(layout.ranks(), widest * model.sentBytes());
        double back = device.exchange(layout.ranks(), widest * model.returnedBytes());
        double layer = new Pipeline(attention, products, there, back).layer(micro);
        double dense = micro * attention(own, model.denseParameters(), 1, 1);
        double step = step(layer, dense, work.rows() / layout.attentionRanks(), 1);
        double sparse = model.sparseLayers();
        return new StepTimes(
                step,
                layer,
                attention,
                products,
                there,
                back,
                sparse * (layer - micro * attention) / step,
                (step - sparse * micro * products) / step);
    }

    private double step(double layer, double dense, double rows, double part) {
        double parameters = (double) model.vocabulary() * model.hidden() * part;
        double vocabulary = device.seconds(2 * parameters, 2 * parameters * rows, false);
        return model.sparseLayers() * layer + model.denseLayers() * dense + vocabulary;
    }

    /**
     * A layer's attention and the MLP of all tokens.
     *
     * @param mlp parameters of that
     * @param part of the matrices and heads that a rank has
     */
    private double attention(StepWork work, double mlp, double part, double kvPart) {
        double parameters = (model.attention() + mlp) * part;
        double linear =
                device.seconds(
                        parameters * model.weightBytes(),
                        2 * parameters * work.tokens(),
                        model.isFp8());
        double pairs =
                device.seconds(
                        work.keys() * model.kvBytesPerLayer() * kvPart,
                        work.pairs() * model.pairFlops() * part,
                        false);
        return linear + pairs;
    }

    /** Of the rank with most rows. */
    private double products(int ranks, StepWork batch) {
        double rows = batch.tokens() * model.chosen() / ranks / balance(batch.tokens(), ranks);
        return experts(rows, slots(ranks), batch, 1);
    }

    /** Where experts cannot be divided evenly, some ranks have more of them. */
    private double balance(double tokens, int ranks) {
        if (ranks == 1) {
            return 1;
        }
        double even = (double) model.experts() / ranks / Math.ceilDiv(model.experts(), ranks);
        return balance.of(tokens, ranks) * (redundant > 0 ? 1 : even);
    }

    /** Of a layer on each rank. */
    private int slots(int ranks) {
        int once = Math.ceilDiv(model.experts(), ranks);
        return ranks == 1 ? once : Math.min(model.experts(), once + redundant);
    }

    /**
     * A layer's products.
     *
     * @param rows that a rank computes
     * @param held experts of which it has a part
     * @param work whose tokens' choices may touch them
     */
    private double experts(double rows, double held, StepWork work, double part) {
        return device.seconds(
                model.touched(held, work.tokens()) * model.expertBytes() * part,
                2 * rows * model.expertParameters() * part,
                model.isFp8());
    }

    /** Weights of a rank that has attention. */
    public double attentionRankBytes(Layout layout) {
        double all = model.attentionBytes() + model.vocabularyBytes();
        return switch (layout) {
            case Layout.Tensor(int ranks) -> (all + expertBytes(1)) / ranks;
            case Layout.Spread(int ranks, int _) -> all + expertBytes(ranks);
            case Layout.Apart _ -> all;
        };
    }

    /** Weights of a rank that has experts: the same rank where they are not apart. */
    public double expertRankBytes(Layout layout) {
        return layout instanceof Layout.Apart apart
                ? expertBytes(apart.expertRanks())
                : attentionRankBytes(layout);
    }

    private double expertBytes(int ranks) {
        return (double) model.sparseLayers() * slots(ranks) * model.expertBytes();
    }

    /** Bytes of keys and values on each rank that has any, where so many tokens are kept in all. */
    public double kvRankBytes(Layout layout, double tokens) {
        double all = tokens * model.kvBytes();
        return switch (layout) {
            case Layout.Tensor(int ranks) -> all * kvPart(ranks);
            case Layout.Spread(int ranks, int _) -> all / ranks;
            case Layout.Apart apart -> all / apart.attentionRanks();
        };
    }

    /** How many tokens' keys and values fit; negative where the weights do not. */
    public double kvTokens(Layout layout) {
        double left = device.memoryBytes() - attentionRankBytes(layout);
        double most = left / kvRankBytes(layout, 1);
        return expertRankBytes(layout) <= device.memoryBytes() ? most : Math.min(most, -1);
    }
}
