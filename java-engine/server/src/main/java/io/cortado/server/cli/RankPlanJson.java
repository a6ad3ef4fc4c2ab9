package io.cortado.server.cli;

import io.cortado.api.RankLoad;
import io.cortado.api.RankPlan;
import io.cortado.server.JsonOut;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/** A plan over many ranks for programs: one object; times in microseconds, sizes in bytes. */
final class RankPlanJson {
    private RankPlanJson() {}

    static String of(String name, RankPlan plan) {
        JsonOut out = new JsonOut().open();
        out.field("model", name).field("architecture", plan.architecture());
        out.field("rank", plan.hardware());
        load(out.name("load").open(), plan.load());
        out.close();
        choice(out.name("apart"), plan.apart());
        choice(out.name("expert_parallel"), plan.expertParallel());
        choice(out.name("tensor_parallel"), plan.tensorParallel());
        PlanJson.refusal(out.name("refusal"), plan.refusal());
        return out.close().toString();
    }

    private static void load(JsonOut out, RankLoad load) {
        out.field("hardware", load.hardware().name().toLowerCase(Locale.ROOT));
        out.field("prompt_tokens", load.promptTokens());
        out.field("output_tokens", load.outputTokens());
        out.name("context_tokens").value(load.contextTokens());
        out.name("tpot_ms").value(load.tpotMs()).name("balance").value(load.balance());
    }

    private static void choice(JsonOut out, RankPlan.@Nullable Choice choice) {
        if (choice == null) {
            out.nullValue();
            return;
        }
        out.open().field("text", choice.text()).field("ranks", choice.ranks());
        out.field("attention_ranks", choice.attentionRanks());
        out.field("expert_ranks", choice.expertRanks());
        out.field("micro_batches", choice.microBatches());
        out.name("batch").value(choice.batch());
        out.name("attention_us").value(choice.attentionMicros());
        out.name("expert_us").value(choice.expertMicros());
        out.name("there_us").value(choice.thereMicros());
        out.name("back_us").value(choice.backMicros());
        out.name("attention_idle").value(choice.attentionIdle());
        out.name("expert_idle").value(choice.expertIdle());
        out.name("tpot_ms").value(choice.tpotMs());
        out.name("tokens_per_second_per_rank").value(choice.tokensPerSecondPerRank());
        out.field("attention_weight_bytes", choice.attentionWeightBytes());
        out.field("expert_weight_bytes", choice.expertWeightBytes());
        out.field("kv_bytes", choice.kvBytes());
        out.name("is_even").value(choice.isEven());
        out.name("is_exchange_shorter").value(choice.isExchangeShorter());
        out.name("is_exchange_hidden").value(choice.isExchangeHidden()).close();
    }
}
