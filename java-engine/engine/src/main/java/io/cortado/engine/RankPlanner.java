package io.cortado.engine;

import io.cortado.api.ByteSize;
import io.cortado.api.EngineException.Code;
import io.cortado.api.EnginePlan;
import io.cortado.api.RankLoad;
import io.cortado.api.RankPlan;
import io.cortado.layout.Layout;
import io.cortado.layout.LayoutCost;
import io.cortado.layout.LayoutModel;
import io.cortado.layout.LayoutPlan;
import io.cortado.layout.LayoutSearch;
import io.cortado.layout.RankDevice;
import io.cortado.layout.StepTimes;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/** Places a model's attention and experts on ranks, and compares that with having them together. */
final class RankPlanner {
    /** Sides that differ by no more than this part of the longer are even. */
    private static final double EVEN = 0.8;

    private final RankDevice device;
    private final LayoutModel model;
    private final RankLoad load;
    private final LayoutCost cost;
    private final LayoutSearch search;

    /**
     * @param device without what the load says of links
     */
    RankPlanner(RankDevice device, LayoutModel model, RankLoad load) {
        this.device = linked(device, load);
        this.model = model;
        this.load = load;
        double balance = load.balance();
        cost = new LayoutCost(this.device, model, (_, _) -> balance, 0);
        search = search(load.tpotMs() / 1e3, load.batch());
    }

    private static RankDevice linked(RankDevice device, RankLoad load) {
        RankDevice linked = device;
        if (load.linkBytesPerSecond() > 0) {
            linked = linked.linkRate(load.linkBytesPerSecond());
        }
        return load.linkMicros() < 0 ? linked : linked.linkSeconds(load.linkMicros() / 1e6);
    }

    private LayoutSearch search(double maxStep, double batch) {
        return new LayoutSearch(
                device,
                model,
                cost,
                new LayoutSearch.Limits(load.contextTokens(), maxStep, load.allRanks(), batch));
    }

    /**
     * @param name of the model
     * @param hardware of a rank, in words
     */
    RankPlan plan(String name, String hardware) {
        LayoutPlan apart = search.apart(load.attentionRanks(), load.expertRanks());
        return new RankPlan(
                name,
                model.name(),
                hardware,
                load,
                choice(apart),
                choice(search.expertParallel()),
                choice(search.tensorParallel()),
                apart == null ? refusal() : null);
    }

    private RankPlan.@Nullable Choice choice(@Nullable LayoutPlan plan) {
        if (plan == null) {
            return null;
        }
        Layout layout = plan.layout();
        Layout.Apart apart = layout instanceof Layout.Apart of ? of : null;
        StepTimes times = plan.times();
        return new RankPlan.Choice(
                layout.text(),
                layout.ranks(),
                apart == null ? layout.ranks() : apart.attentionRanks(),
                apart == null ? layout.ranks() : apart.expertRanks(),
                layout.microBatches(),
                plan.batch(),
                times.attention() * 1e6,
                times.experts() * 1e6,
                times.there() * 1e6,
                times.back() * 1e6,
                times.attentionIdle(),
                times.expertIdle(),
                times.step() * 1e3,
                plan.perRank(),
                (long) cost.attentionRankBytes(layout),
                (long) cost.expertRankBytes(layout),
                (long) cost.kvRankBytes(layout, plan.batch() * load.contextTokens()),
                plan.evenness() >= EVEN,
                plan.isExchangeShorter(),
                plan.isExchangeHidden());
    }

    /** What binds: weights on either side, keys and values, or the time between tokens. */
    private EnginePlan.Refusal refusal() {
        long memory = (long) device.memoryBytes();
        long attention = (long) cost.attentionRankBytes(new Layout.Apart(1, 1, 1));
        if (attention > memory) {
            return refused(
                    Code.WEIGHTS_DO_NOT_FIT,
                    "--hardware",
                    "all that is no expert needs %s on each rank with attention, which has %s: take a device with more memory or a smaller or quantised model"
                            .formatted(size(attention), size(memory)));
        }
        int experts = fewestExpertRanks();
        int most = mostExpertRanks();
        if (experts > most) {
            return refused(
                    Code.WEIGHTS_DO_NOT_FIT,
                    load.expertRanks() > 0 ? "--expert-ranks" : "--ranks",
                    "experts need %s, and each of at most %d ranks for them has %s: %s"
                            .formatted(
                                    size((long) cost.expertRankBytes(new Layout.Apart(1, 1, 1))),
                                    most,
                                    size(memory),
                                    experts > model.experts()
                                            ? "one expert of all layers is larger than that"
                                            : "%d ranks would hold them".formatted(experts)));
        }
        int ranks = load.allRanks();
        int attentionRanks =
                load.attentionRanks() > 0
                        ? load.attentionRanks()
                        : (ranks == 0 ? LayoutSearch.MOST_RANKS : ranks) - experts;
        Layout.Apart roomiest = new Layout.Apart(attentionRanks, experts, 1);
        double answers = Math.max(1, load.batch());
        double fit = Math.floor(cost.kvTokens(roomiest) / load.contextTokens());
        if (answers > fit) {
            return refused(
                    Code.KV_DOES_NOT_FIT,
                    load.batch() > 0 ? "--batch" : "--prompt-tokens",
                    "keys and values of %,.0f answers of %,.0f tokens do not fit: %d ranks with attention, each with %s beside the weights, hold %,.0f of them"
                            .formatted(
                                    answers,
                                    load.contextTokens(),
                                    attentionRanks,
                                    size(memory - attention),
                                    fit));
        }
        return tooSlow(answers);
    }

    private int fewestExpertRanks() {
        int ranks = Math.max(1, load.expertRanks());
        while (ranks <= model.experts()
                && cost.expertRankBytes(new Layout.Apart(1, ranks, 1)) > device.memoryBytes()) {
            ranks++;
        }
        return ranks;
    }

    private int mostExpertRanks() {
        if (load.expertRanks() > 0) {
            return load.expertRanks();
        }
        int ranks = load.allRanks() == 0 ? LayoutSearch.MOST_RANKS : load.allRanks();
        return Math.min(model.experts(), ranks - Math.max(1, load.attentionRanks()));
    }

    private EnginePlan.Refusal tooSlow(double answers) {
        LayoutPlan quickest =
                search(Double.POSITIVE_INFINITY, answers)
                        .quickestApart(load.attentionRanks(), load.expertRanks());
        double millis = quickest == null ? Double.NaN : quickest.times().step() * 1e3;
        return refused(
                Code.INVALID_REQUEST,
                "--tpot-ms",
                String.format(
                        Locale.ROOT,
                        "a step of %,.0f answers takes %.3f ms at least, and tpot-ms allows %.3f: raise --tpot-ms, or lower --batch or the tokens of a request",
                        answers,
                        millis,
                        load.tpotMs()));
    }

    private static EnginePlan.Refusal refused(Code code, String flag, String message) {
        return new EnginePlan.Refusal(code, code + ": " + message, flag);
    }

    private static String size(long bytes) {
        return ByteSize.text(bytes);
    }
}
