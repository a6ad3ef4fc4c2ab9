package io.cortado.engine;

import io.cortado.api.EngineException;
import io.cortado.api.FinishReason;
import io.cortado.api.GenerationEvent;
import io.cortado.api.GenerationStream;
import io.cortado.api.RequestReport;
import io.cortado.api.TokenLogprob;
import io.cortado.api.Usage;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** A stream read to its end, and the order of its events checked on the way. */
final class Answers {
    /** One answer. */
    static final class Answer {
        final List<Integer> ids = new ArrayList<>();
        final StringBuilder text = new StringBuilder();
        final List<TokenLogprob> logprobs = new ArrayList<>();
        @Nullable FinishReason reason;

        String text() {
            return text.toString();
        }
    }

    final List<Answer> answers = new ArrayList<>();
    int[] promptIds = {};
    @Nullable List<@Nullable TokenLogprob> promptScores;
    @Nullable Usage usage;
    @Nullable RequestReport report;
    @Nullable EngineException failure;

    static Answers read(GenerationStream stream) throws InterruptedException {
        Answers result = new Answers();
        try (stream) {
            for (var event = stream.next(); event != null; event = stream.next()) {
                result.add(event);
            }
        }
        return result;
    }

    private void add(GenerationEvent event) {
        if (usage != null || failure != null) {
            throw new AssertionError("an event after the end: " + event);
        }
        switch (event) {
            case GenerationEvent.Started started -> promptIds = started.promptIds();
            case GenerationEvent.PromptScored scored -> {
                if (!answers.isEmpty()) {
                    throw new AssertionError("scores after output");
                }
                promptScores = scored.tokens();
            }
            case GenerationEvent.Delta delta -> add(delta);
            case GenerationEvent.Finished finished ->
                    answer(finished.index()).reason = finished.reason();
            case GenerationEvent.Completed completed -> {
                usage = completed.usage();
                report = completed.report();
            }
            case GenerationEvent.Failed failed -> failure = failed.error();
        }
    }

    private void add(GenerationEvent.Delta delta) {
        Answer answer = answer(delta.index());
        if (answer.reason != null) {
            throw new AssertionError("a delta after the end of answer " + delta.index());
        }
        for (int id : delta.ids()) {
            answer.ids.add(id);
        }
        answer.text.append(delta.text());
        List<TokenLogprob> logprobs = delta.logprobs();
        if (logprobs != null) {
            if (logprobs.size() != delta.ids().length) {
                throw new AssertionError("logprobs and ids differ in number");
            }
            answer.logprobs.addAll(logprobs);
        }
    }

    private Answer answer(int index) {
        while (answers.size() <= index) {
            answers.add(new Answer());
        }
        return answers.get(index);
    }

    List<Integer> ids() {
        return answers.getFirst().ids;
    }

    String text() {
        return answers.getFirst().text();
    }

    @Nullable FinishReason reason() {
        return answers.getFirst().reason;
    }
}
