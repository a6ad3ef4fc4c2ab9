package io.cortado.server.cli;

import io.cortado.api.ByteSize;
import io.cortado.api.RankLoad;
import io.cortado.api.RankPlan;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/** A plan over many ranks for people. */
final class RankPlanText {
    private RankPlanText() {}

    static List<String> lines(String name, RankPlan plan) {
        List<String> lines = new ArrayList<>();
        RankLoad load = plan.load();
        lines.add("model      %s (%s)".formatted(name, plan.architecture()));
        lines.add("rank       %s; counted by bytes and operations".formatted(plan.hardware()));
        lines.add(
                format(
                        "load       answers of %d + %d tokens, half done: %.0f each; at most %s ms between tokens",
                        load.promptTokens(),
                        load.outputTokens(),
                        load.contextTokens(),
                        load.tpotMs()));
        RankPlan.Choice apart = plan.apart();
        if (apart != null) {
            addApart(lines, apart);
        }
        lines.add("together   " + together("EP", plan.expertParallel(), apart));
        lines.add("           " + together("TP", plan.tensorParallel(), apart));
        return lines;
    }

    private static void addApart(List<String> lines, RankPlan.Choice apart) {
        lines.add(
                format(
                        "apart      %s; %,.0f answers at once",
                        apart.text(), Math.floor(apart.batch())));
        lines.add(
                format(
                        "times      of a layer and a micro-batch: attention %s, experts %s, there %s, back %s",
                        micros(apart.attentionMicros()),
                        micros(apart.expertMicros()),
                        micros(apart.thereMicros()),
                        micros(apart.backMicros())));
        lines.add(
                "           T_attention = T_expert within a fifth: %s; exchange shorter than the longer of them: %s; hidden by %d micro-batch%s: %s"
                        .formatted(
                                yes(apart.isEven()),
                                yes(apart.isExchangeShorter()),
                                apart.microBatches(),
                                apart.microBatches() == 1 ? "" : "es",
                                yes(apart.isExchangeHidden())));
        lines.add(
                format(
                        "idle       attention %.1f%%, experts %.1f%%",
                        100 * apart.attentionIdle(), 100 * apart.expertIdle()));
        lines.add(
                "memory     attention %s of weights, %s of keys and values; experts %s"
                        .formatted(
                                ByteSize.text(apart.attentionWeightBytes()),
                                ByteSize.text(apart.kvBytes()),
                                ByteSize.text(apart.expertWeightBytes())));
        lines.add("gives      " + gives(apart));
    }

    private static String together(
            String name, RankPlan.@Nullable Choice choice, RankPlan.@Nullable Choice apart) {
        if (choice == null) {
            return name + ": none fits";
        }
        String text =
                format(
                        "%s: %,.0f answers, idle %.1f%%, %s",
                        choice.text(),
                        Math.floor(choice.batch()),
                        100 * choice.attentionIdle(),
                        gives(choice));
        return apart == null
                ? text
                : text
                        + format(
                                "; apart gives %.2f of that",
                                apart.tokensPerSecondPerRank() / choice.tokensPerSecondPerRank());
    }

    private static String gives(RankPlan.Choice choice) {
        return format(
                "tpot %.2f ms, %,.1f tokens/s a device",
                choice.tpotMs(), choice.tokensPerSecondPerRank());
    }

    private static String micros(double value) {
        return format("%.1f us", value);
    }

    private static String yes(boolean holds) {
        return holds ? "yes" : "no";
    }

    private static String format(String format, Object... values) {
        return String.format(Locale.ROOT, format, values);
    }
}
