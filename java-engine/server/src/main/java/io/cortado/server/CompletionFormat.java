package io.cortado.server;

import io.cortado.api.GenerationEvent.Delta;
import io.cortado.api.TokenLogprob;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** {@code text_completion}: the same object whole and in chunks. */
final class CompletionFormat extends AnswerFormat {

    CompletionFormat(String id, Ask ask) {
        super("cmpl-" + id, "text_completion", "text_completion", ask);
    }

    @Override
    @Nullable String opening(Answer.Choice choice) {
        return null;
    }

    @Override
    List<String> delta(Answer.Choice choice, Delta delta, List<@Nullable TokenLogprob> logprobs) {
        boolean tellsIds = form.tokenIds() && delta.ids().length > 0;
        if (delta.text().isEmpty() && logprobs.isEmpty() && !tellsIds) {
            return List.of();
        }
        JsonOut out = begin(choice, delta.text());
        logprobs(out, choice, logprobs);
        out.name("finish_reason").nullValue();
        if (form.tokenIds()) {
            if (choice.isFirstChunk) {
                out.name("prompt_token_ids").ints(choice.promptIds);
            }
            out.name("token_ids").ints(delta.ids());
        }
        choice.isFirstChunk = false;
        return List.of(chunk(out.close()));
    }

    @Override
    List<String> finish(Answer.Choice choice) {
        JsonOut out = begin(choice, "");
        out.name("logprobs").nullValue().field("finish_reason", choice.reasonName());
        return List.of(chunk(out.close()));
    }

    private static JsonOut begin(Answer.Choice choice, String text) {
        return new JsonOut().open().field("index", choice.index).field("text", text);
    }

    @Override
    void whole(JsonOut out, Answer.Choice choice) {
        out.open().field("index", choice.index).field("text", choice.text.toString());
        logprobs(out, choice, choice.logprobs);
        out.field("finish_reason", choice.reasonName());
        if (form.promptLogprobs()) {
            promptLogprobs(out.name("prompt_logprobs"), choice.promptLogprobs);
        }
        if (form.tokenIds()) {
            out.name("prompt_token_ids").ints(choice.promptIds);
            ids(out, "token_ids", choice.ids);
        }
        out.close();
    }

    @Override
    void extras(JsonOut out, Answer answer) {}

    private void logprobs(
            JsonOut out, Answer.Choice choice, List<@Nullable TokenLogprob> logprobs) {
        out.name("logprobs");
        if (!form.logprobs()) {
            out.nullValue();
            return;
        }
        out.open().name("tokens").openArray();
        for (TokenLogprob token : logprobs) {
            out.value(token == null ? "" : token.text());
        }
        out.closeArray().name("token_logprobs").openArray();
        for (TokenLogprob token : logprobs) {
            if (token == null) {
                out.nullValue();
            } else {
                out.value(token.logprob());
            }
        }
        out.closeArray().name("top_logprobs").openArray();
        logprobs.forEach(token -> top(out, token));
        out.closeArray().name("text_offset").openArray();
        for (TokenLogprob token : logprobs) {
            out.value(choice.textOffset);
            String text = token == null ? "" : token.text();
            choice.textOffset += text.codePointCount(0, text.length());
        }
        out.closeArray().close();
    }

    /** The likeliest tokens and the one that was taken, keyed by their text. */
    private static void top(JsonOut out, @Nullable TokenLogprob token) {
        if (token == null) {
            out.nullValue();
            return;
        }
        Set<String> told = new HashSet<>();
        out.open();
        for (TokenLogprob top : token.top()) {
            if (told.add(top.text())) {
                out.name(top.text()).value(top.logprob());
            }
        }
        if (told.add(token.text())) {
            out.name(token.text()).value(token.logprob());
        }
        out.close();
    }
}
