package io.cortado.server;

import io.cortado.api.FinishReason;
import io.cortado.api.RequestReport;
import io.cortado.api.TokenLogprob;
import io.cortado.api.Usage;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** All choices of a request as far as they have come. */
final class Answer {

    /** One choice. */
    static final class Choice {
        final int index;
        final StringBuilder text = new StringBuilder();
        final List<@Nullable TokenLogprob> logprobs = new ArrayList<>();
        final List<Integer> ids = new ArrayList<>();
        @Nullable FinishReason reason;
        int[] promptIds = {};
        @Nullable List<@Nullable TokenLogprob> promptLogprobs;

        /** Characters of tokens already told: where the next one's text begins. */
        int textOffset;

        /** Made where the text of a chat is taken apart. */
        @Nullable ChatParts parts;

        boolean isFirstChunk = true;
        long lastTokenNanos;

        Choice(int index) {
            this.index = index;
        }

        /** The API's word; "stop" for want of a better one where there is none. */
        String reasonName() {
            return reason == null ? "stop" : reason.apiName();
        }
    }

    final List<Choice> choices = new ArrayList<>();
    private int promptTokens;
    private int completionTokens;
    private int cachedTokens;
    private int acceptedDraftTokens;
    private int rejectedDraftTokens;

    /** Of the prompts that have ended, where they are told. */
    final List<RequestReport> reports = new ArrayList<>();

    Answer(int size) {
        for (int i = 0; i < size; i++) {
            choices.add(new Choice(i));
        }
    }

    void add(Usage usage, RequestReport report) {
        reports.add(report);
        promptTokens += usage.promptTokens();
        completionTokens += usage.completionTokens();
        cachedTokens += usage.cachedTokens();
        acceptedDraftTokens += usage.acceptedDraftTokens();
        rejectedDraftTokens += usage.rejectedDraftTokens();
    }

    Usage usage() {
        return new Usage(
                promptTokens,
                completionTokens,
                cachedTokens,
                acceptedDraftTokens,
                rejectedDraftTokens);
    }

    /** Why the answers ended, for the log. */
    String reasons() {
        List<String> names = choices.stream().map(Choice::reasonName).distinct().toList();
        return String.join("+", names);
    }
}
