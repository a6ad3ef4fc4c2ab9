package io.cortado.bench.sim;

import io.cortado.layout.LayoutCost;
import io.cortado.layout.LayoutModel;
import io.cortado.moe.ExpertBalancer;
import io.cortado.moe.ExpertPlacement;
import java.util.HashMap;
import java.util.Map;
import java.util.Random;

/**
 * How evenly ranks are loaded where tokens choose by Zipf's law and the engine's balancer places
 * the experts: planned by a large batch, judged by others of the step's size. One thread.
 */
public final class ExpertSkew implements LayoutCost.Balance {
    private static final int PLANNED_TOKENS = 16_384;
    private static final int MOST_TOKENS = 1 << 14;

    /** As many tokens in all are drawn for each size, so that small batches are judged often. */
    private static final int JUDGED_TOKENS = 1 << 15;

    private static final int MOST_BATCHES = 64;

    private record Key(int ranks, int tokens) {}

    private final LayoutModel model;
    private final int redundant;
    private final ZipfChoices choices;
    private final long seed;
    private final long[] planned;
    private final Map<Integer, ExpertPlacement> placements = new HashMap<>();
    private final Map<Key, Double> known = new HashMap<>();

    /**
     * @param redundant slots of a rank beside those that hold every expert once
     */
    public ExpertSkew(LayoutModel model, double skew, int redundant, long seed) {
        this.model = model;
        this.redundant = redundant;
        this.seed = seed;
        Random random = new Random(seed);
        choices = ZipfChoices.make(model.experts(), model.chosen(), skew, random);
        planned = choices.loads(PLANNED_TOKENS, random);
    }

    @Override
    public double of(double tokens, int ranks) {
        int size = Integer.highestOneBit((int) Math.clamp(tokens, 1, MOST_TOKENS));
        double low = judged(new Key(ranks, size));
        if (size == MOST_TOKENS) {
            return low;
        }
        double high = judged(new Key(ranks, 2 * size));
        return low + (high - low) * (Math.max(1, tokens) - size) / size;
    }

    /** One over the mean of greatest by mean load: what the slowest rank takes, on average. */
    private double judged(Key key) {
        return known.computeIfAbsent(
                key,
                _ -> {
                    ExpertPlacement placement =
                            placements.computeIfAbsent(key.ranks, this::placement);
                    Random random = new Random(seed + 1);
                    int batches = Math.clamp(JUDGED_TOKENS / key.tokens, 1, MOST_BATCHES);
                    double sum = 0;
                    for (int i = 0; i < batches; i++) {
                        sum += 1 / placement.balance(choices.loads(key.tokens, random));
                    }
                    return batches / sum;
                });
    }

    private ExpertPlacement placement(int ranks) {
        int slots = Math.ceilDiv(model.experts(), ranks) + redundant;
        int all = ranks * Math.min(model.experts(), slots);
        return new ExpertBalancer(ranks, all - model.experts()).plan(planned);
    }
}
