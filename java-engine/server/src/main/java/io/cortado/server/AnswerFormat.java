package io.cortado.server;

import io.cortado.api.GenerationEvent.Delta;
import io.cortado.api.RequestReport;
import io.cortado.api.TokenLogprob;
import io.cortado.api.Usage;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The JSON of an answer: whole, or in chunks. One per request. */
abstract sealed class AnswerFormat permits ChatFormat, CompletionFormat {
    private final String chunkHead;
    private final String wholeHead;
    final Ask.Form form;

    AnswerFormat(String id, String wholeObject, String chunkObject, Ask ask) {
        long created = System.currentTimeMillis() / 1000;
        this.form = ask.form();
        this.wholeHead = head(id, wholeObject, created, ask.model());
        this.chunkHead = head(id, chunkObject, created, ask.model());
    }

    /** Made once a request: every chunk begins with it. */
    private static String head(String id, String object, long created, String model) {
        JsonOut out = new JsonOut().open();
        out.field("id", id).field("object", object).field("created", created);
        return out.field("model", model).name("choices").toString();
    }

    /** The chunk that opens a choice; null if the format has none. */
    abstract @Nullable String opening(Answer.Choice choice);

    /** Chunks with new output; none if there is nothing to tell. */
    abstract List<String> delta(
            Answer.Choice choice, Delta delta, List<@Nullable TokenLogprob> logprobs);

    /** The last chunks of a choice. */
    abstract List<String> finish(Answer.Choice choice);

    /** The choice in an answer that comes in one piece. */
    abstract void whole(JsonOut out, Answer.Choice choice);

    /** What the whole answer has beside choices and usage. */
    abstract void extras(JsonOut out, Answer answer);

    final String chunk(JsonOut choice) {
        return chunkHead + "[" + choice + "]}";
    }

    final String usageChunk(Answer answer) {
        JsonOut out = new JsonOut();
        usage(out, answer);
        return chunkHead + "[],\"usage\":" + out + "}";
    }

    final String whole(Answer answer) {
        JsonOut out = new JsonOut();
        out.openArray();
        for (Answer.Choice choice : answer.choices) {
            whole(out, choice);
        }
        out.closeArray().name("usage");
        usage(out, answer);
        extras(out, answer);
        if (form.kvTransfer() != null) {
            out.name("kv_transfer_params").raw(form.kvTransfer());
        }
        return wholeHead + out.close();
    }

    private void usage(JsonOut out, Answer answer) {
        Usage usage = answer.usage();
        out.open();
        out.field("prompt_tokens", usage.promptTokens());
        out.field("completion_tokens", usage.completionTokens());
        out.field("total_tokens", usage.totalTokens());
        out.name("prompt_tokens_details").open();
        out.field("cached_tokens", usage.cachedTokens()).close();
        if (usage.acceptedDraftTokens() + usage.rejectedDraftTokens() > 0) {
            out.name("completion_tokens_details").open();
            out.field("accepted_prediction_tokens", usage.acceptedDraftTokens());
            out.field("rejected_prediction_tokens", usage.rejectedDraftTokens()).close();
        }
        if (form.cost()) {
            cost(out.name("cost"), answer.reports);
        }
        out.close();
    }

    /** Sums over the prompts; the longest wait of any. */
    private static void cost(JsonOut out, List<RequestReport> reports) {
        long deviceNanos = 0;
        double kvByteSeconds = 0;
        int cached = 0;
        long recomputed = 0;
        int preemptions = 0;
        long queuedNanos = 0;
        for (RequestReport report : reports) {
            deviceNanos += report.cost().deviceNanos();
            kvByteSeconds += report.cost().kvByteSeconds();
            cached += report.prefill().cachedTokens();
            recomputed += report.preemption().recomputedTokens();
            preemptions += report.preemption().count();
            queuedNanos = Math.max(queuedNanos, report.timings().queuedNanos());
        }
        out.open().name("device_ms").value(deviceNanos / 1e6);
        out.name("kv_byte_seconds").value(kvByteSeconds);
        out.field("cached_tokens", cached).field("recomputed_tokens", recomputed);
        out.field("preemptions", preemptions).name("queue_ms").value(queuedNanos / 1e6).close();
    }

    /** vLLM's form: for each prompt token a map from id to what is known of it. */
    static void promptLogprobs(JsonOut out, @Nullable List<@Nullable TokenLogprob> tokens) {
        out.openArray();
        for (TokenLogprob token : tokens == null ? List.<@Nullable TokenLogprob>of() : tokens) {
            if (token == null) {
                out.nullValue();
                continue;
            }
            Map<Integer, TokenLogprob> byId = new java.util.LinkedHashMap<>();
            byId.put(token.id(), token);
            token.top().forEach(top -> byId.putIfAbsent(top.id(), top));
            out.open();
            for (TokenLogprob each : byId.values()) {
                out.name(String.valueOf(each.id())).open();
                out.name("logprob").value(each.logprob()).field("rank", each.rank());
                out.field("decoded_token", each.text()).close();
            }
            out.close();
        }
        out.closeArray();
    }

    static void ids(JsonOut out, String name, List<Integer> ids) {
        out.name(name).ints(ids.stream().mapToInt(Integer::intValue).toArray());
    }
}
