package io.cortado.server.cli;

import io.cortado.api.FinishReason;
import io.cortado.api.GenerationEvent;
import io.cortado.api.TokenLogprob;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** One answer as far as it has come. */
final class Answered {
    final StringBuilder text = new StringBuilder();
    final List<Integer> ids = new ArrayList<>();
    final List<TokenLogprob> scores = new ArrayList<>();
    @Nullable FinishReason reason;

    void add(GenerationEvent.Delta delta) {
        text.append(delta.text());
        for (int id : delta.ids()) {
            ids.add(id);
        }
        List<TokenLogprob> told = delta.logprobs();
        if (told != null) {
            scores.addAll(told);
        }
    }

    /** "stop" for want of a better one where there is none. */
    String reasonName() {
        return reason == null ? "stop" : reason.apiName();
    }
}
