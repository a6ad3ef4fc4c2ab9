package io.cortado.server.cli;

import io.cortado.api.GenerationEvent.Completed;
import io.cortado.api.TokenLogprob;
import io.cortado.server.JsonOut;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** A finished generation as one line of JSON. */
final class ResultJson {
    private ResultJson() {}

    static String of(
            int[] promptIds,
            Answered answer,
            boolean isScored,
            @Nullable List<@Nullable TokenLogprob> promptScores,
            Completed completed) {
        JsonOut out = new JsonOut().open();
        out.name("prompt_ids").ints(promptIds).name("ids");
        out.ints(answer.ids.stream().mapToInt(Integer::intValue).toArray());
        out.field("text", answer.text.toString());
        scores(out.name("logprobs"), isScored ? answer.scores : null);
        if (promptScores != null) {
            scores(out.name("prompt_logprobs"), promptScores);
        }
        out.field("finish_reason", answer.reasonName()).name("timings").open();
        out.name("queued_ms").value(completed.timings().queuedNanos() / 1e6);
        out.name("ttft_ms").value(completed.timings().ttftNanos() / 1e6);
        out.name("tpot_ms").value(completed.timings().tpotNanos() / 1e6);
        out.name("e2e_ms").value(completed.timings().e2eNanos() / 1e6).close();
        return out.close().toString();
    }

    private static void scores(
            JsonOut out, @Nullable List<? extends @Nullable TokenLogprob> tokens) {
        if (tokens == null) {
            out.nullValue();
            return;
        }
        out.openArray();
        for (TokenLogprob token : tokens) {
            if (token == null) {
                out.nullValue();
            } else {
                token(out, token, true);
            }
        }
        out.closeArray();
    }

    private static void token(JsonOut out, TokenLogprob token, boolean withTop) {
        out.open().field("id", token.id()).field("token", token.text());
        out.name("logprob").value(token.logprob()).field("rank", token.rank());
        if (withTop) {
            out.name("top").openArray();
            token.top().forEach(top -> token(out, top, false));
            out.closeArray();
        }
        out.close();
    }

    static String quoted(String text) {
        return new JsonOut().value(text).toString();
    }
}
