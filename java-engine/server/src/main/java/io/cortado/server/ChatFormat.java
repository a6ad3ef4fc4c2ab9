package io.cortado.server;

import io.cortado.api.Engine;
import io.cortado.api.FinishReason;
import io.cortado.api.GenerationEvent.Delta;
import io.cortado.api.Reasoning;
import io.cortado.api.TokenLogprob;
import io.cortado.text.HermesCalls;
import io.cortado.text.ReasoningText;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** {@code chat.completion} and its chunks. */
final class ChatFormat extends AnswerFormat {
    /** A marker of reasoning and white space are no longer. */
    private static final int TAIL_IDS = 32;

    private static final int[] NO_IDS = {};

    private final Engine engine;
    private final Ask.Reading reading;

    ChatFormat(String id, Ask ask, Engine engine) {
        super("chatcmpl-" + id, "chat.completion", "chat.completion.chunk", ask);
        this.engine = engine;
        this.reading = ask.reading();
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

    /** The first chunk has what belongs to the tokens, be their text held back or not. */
    @Override
    List<String> delta(Answer.Choice choice, Delta delta, List<@Nullable TokenLogprob> logprobs) {
        List<ChatPart> parts = shown(parts(choice).feed(delta.text()));
        boolean tellsIds = form.tokenIds() && delta.ids().length > 0;
        if (parts.isEmpty() && (tellsIds || !logprobs.isEmpty())) {
            parts = List.of(new ChatPart.Content(""));
        }
        List<String> chunks = new ArrayList<>();
        for (ChatPart part : parts) {
            boolean isFirst = chunks.isEmpty();
            JsonOut out = begin(choice);
            write(out, part);
            logprobs(out.close(), isFirst ? logprobs : List.of());
            out.name("finish_reason").nullValue();
            if (form.tokenIds()) {
                out.name("token_ids").ints(isFirst ? delta.ids() : NO_IDS);
            }
            chunks.add(chunk(out.close()));
        }
        return chunks;
    }

    private static void write(JsonOut out, ChatPart part) {
        switch (part) {
            case ChatPart.Content(String text) -> out.field("content", text);
            case ChatPart.Reasoning(String text) -> out.field("reasoning_content", text);
            case ChatPart.CallOpened(int index, String id, String name) -> {
                out.name("tool_calls").openArray().open().field("index", index);
                out.field("id", id).field("type", "function").name("function").open();
                out.field("name", name).field("arguments", "").close().close().closeArray();
            }
            case ChatPart.CallArguments(int index, String json) -> {
                out.name("tool_calls").openArray().open().field("index", index);
                out.name("function").open().field("arguments", json).close();
                out.close().closeArray();
            }
        }
    }

    @Override
    List<String> finish(Answer.Choice choice) {
        List<String> chunks = new ArrayList<>();
        for (ChatPart part : shown(parts(choice).flush())) {
            JsonOut out = begin(choice);
            write(out, part);
            out.close().name("logprobs").nullValue().name("finish_reason").nullValue();
            chunks.add(chunk(out.close()));
        }
        JsonOut out = begin(choice).close();
        out.name("logprobs").nullValue().field("finish_reason", reasonName(choice));
        chunks.add(chunk(out.close()));
        return chunks;
    }

    private static JsonOut begin(Answer.Choice choice) {
        return new JsonOut().open().field("index", choice.index).name("delta").open();
    }

    @Override
    void whole(JsonOut out, Answer.Choice choice) {
        List<ChatPart> parts = new ArrayList<>(parts(choice).feed(choice.text.toString()));
        parts.addAll(parts(choice).flush());
        out.open().field("index", choice.index).name("message").open();
        ChatMessageJson.write(out, shown(parts));
        out.close();
        logprobs(out, choice.logprobs);
        out.field("finish_reason", reasonName(choice));
        if (form.tokenIds()) {
            ids(out, "token_ids", choice.ids);
        }
        out.close();
    }

    /** A named tool's call ends by "stop", as at OpenAI; an answer that is cut by its limit. */
    private String reasonName(Answer.Choice choice) {
        ToolChoice tools = reading.tools();
        boolean isCalls =
                tools != null
                        && !tools.isNamed()
                        && parts(choice).hasCalls()
                        && choice.reason instanceof FinishReason.EndToken;
        return isCalls ? "tool_calls" : choice.reasonName();
    }

    private List<ChatPart> shown(List<ChatPart> parts) {
        return reading.showsReasoning()
                ? parts
                : parts.stream().filter(part -> !(part instanceof ChatPart.Reasoning)).toList();
    }

    private ChatParts parts(Answer.Choice choice) {
        ChatParts made = choice.parts;
        if (made == null) {
            Reasoning reasoning = reading.reasoning();
            made =
                    new ChatParts(
                            reasoning == null
                                    ? null
                                    : new ReasoningText(reasoning, isOpened(reasoning, choice)),
                            reading.tools() == null ? null : new HermesCalls());
            choice.parts = made;
        }
        return made;
    }

    /** Whether the template has opened the reasoning. */
    private boolean isOpened(Reasoning reasoning, Answer.Choice choice) {
        int[] ids = choice.promptIds;
        int[] tail = Arrays.copyOfRange(ids, Math.max(0, ids.length - TAIL_IDS), ids.length);
        return engine.detokenize(tail, false).stripTrailing().endsWith(reasoning.begin());
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
