package io.cortado.server;

import io.cortado.api.GenerationEvent.Delta;
import io.cortado.api.TokenLogprob;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** {@code chat.completion} and its chunks. */
final class ChatFormat extends AnswerFormat {

    ChatFormat(String id, Ask ask) {
        super("chatcmpl-" + id, "chat.completion", "chat.completion.chunk", ask);
    }

    @Override
    String opening(Answer.Choice choice) {
        JsonOut out = begin(choice);
        out.field("role", "assistant").field("content", "").close();
        out.name("logprobs").nullValue().name("finish_reason").nullValue();
        if (form.tokenIds()) {
            out.name("prompt_token_ids").ints(choice.promptIds);
        }
        return chunk(out.close());
    }

    @Override
    @Nullable String delta(
            Answer.Choice choice, Delta delta, List<@Nullable TokenLogprob> logprobs) {
        boolean tellsIds = form.tokenIds() && delta.ids().length > 0;
        if (delta.text().isEmpty() && logprobs.isEmpty() && !tellsIds) {
            return null;
        }
        JsonOut out = begin(choice).field("content", delta.text()).close();
        logprobs(out, logprobs);
        out.name("finish_reason").nullValue();
        if (form.tokenIds()) {
            out.name("token_ids").ints(delta.ids());
        }
        return chunk(out.close());
    }

    @Override
    String finish(Answer.Choice choice) {
        JsonOut out = begin(choice).close();
        out.name("logprobs").nullValue().field("finish_reason", choice.reasonName());
        return chunk(out.close());
    }

    private static JsonOut begin(Answer.Choice choice) {
        return new JsonOut().open().field("index", choice.index).name("delta").open();
    }

    @Override
    void whole(JsonOut out, Answer.Choice choice) {
        out.open().field("index", choice.index).name("message").open();
        out.field("role", "assistant").field("content", choice.text.toString());
        out.field("refusal", null).close();
        logprobs(out, choice.logprobs);
        out.field("finish_reason", choice.reasonName());
        if (form.tokenIds()) {
            ids(out, "token_ids", choice.ids);
        }
        out.close();
    }

    @Override
    void extras(JsonOut out, Answer answer) {
        Answer.Choice first = answer.choices.getFirst();
        if (form.promptLogprobs()) {
            promptLogprobs(out.name("prompt_logprobs"), first.promptLogprobs);
        }
        if (form.tokenIds()) {
            out.name("prompt_token_ids").ints(first.promptIds);
        }
    }

    private void logprobs(JsonOut out, List<@Nullable TokenLogprob> logprobs) {
        out.name("logprobs");
        if (!form.logprobs()) {
            out.nullValue();
            return;
        }
        out.open().name("content").openArray();
        for (TokenLogprob token : logprobs) {
            if (token != null) {
                token(out, token).name("top_logprobs").openArray();
                token.top().forEach(top -> token(out, top).close());
                out.closeArray().close();
            }
        }
        out.closeArray().field("refusal", null).close();
    }

    private static JsonOut token(JsonOut out, TokenLogprob token) {
        out.open().field("token", token.text()).name("logprob").value(token.logprob());
        out.name("bytes").openArray();
        for (byte b : token.bytes()) {
            out.value(Byte.toUnsignedInt(b));
        }
        return out.closeArray();
    }
}
