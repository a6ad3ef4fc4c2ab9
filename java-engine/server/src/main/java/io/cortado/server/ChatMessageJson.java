package io.cortado.server;

import java.util.ArrayList;
import java.util.List;

/** The message of an answer that comes in one piece. */
final class ChatMessageJson {
    private record Call(String id, String name, StringBuilder arguments) {}

    private ChatMessageJson() {}

    /** Without its braces. */
    static void write(JsonOut out, List<ChatPart> parts) {
        StringBuilder content = new StringBuilder();
        StringBuilder reasoning = new StringBuilder();
        List<Call> calls = new ArrayList<>();
        for (ChatPart part : parts) {
            switch (part) {
                case ChatPart.Content(String text) -> content.append(text);
                case ChatPart.Reasoning(String text) -> reasoning.append(text);
                case ChatPart.CallOpened(_, String id, String name) ->
                        calls.add(new Call(id, name, new StringBuilder()));
                case ChatPart.CallArguments(int index, String json) ->
                        calls.get(index).arguments.append(json);
            }
        }
        boolean isCallsOnly = !calls.isEmpty() && content.isEmpty();
        out.field("role", "assistant").field("content", isCallsOnly ? null : content.toString());
        out.field("refusal", null);
        if (!reasoning.isEmpty()) {
            out.field("reasoning_content", reasoning.toString());
        }
        if (!calls.isEmpty()) {
            out.name("tool_calls").openArray();
            for (Call call : calls) {
                out.open().field("id", call.id).field("type", "function").name("function").open();
                out.field("name", call.name).field("arguments", call.arguments.toString());
                out.close().close();
            }
            out.closeArray();
        }
    }
}
