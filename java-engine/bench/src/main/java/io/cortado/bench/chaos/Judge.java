package io.cortado.bench.chaos;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Whether an answer is whole and single: every choice ends once, and nothing follows its end. */
final class Judge {
    private static final JsonMapper JSON = JsonMapper.shared();
    private static final String DONE = "[DONE]";

    private Judge() {}

    /** What is wrong with an answer that came in one piece; empty: nothing. */
    static String whole(String body, int answers) {
        JsonNode root = JSON.readTree(body);
        boolean isEmbedding = root.path("data").isArray();
        JsonNode list = root.path(isEmbedding ? "data" : "choices");
        if (list.size() != answers) {
            return "answers=" + list.size() + " of " + answers;
        }
        for (int i = 0; i < answers; i++) {
            if (list.get(i).path("index").asInt(-1) != i) {
                return "an index is missing: " + i;
            }
            if (!isEmbedding && !list.get(i).path("finish_reason").isString()) {
                return "a choice has no end: " + i;
            }
        }
        return root.path("usage").isObject() ? "" : "there is no usage";
    }

    /** The same of a stream's events; one that ends by an error is for {@link #isError}. */
    static String stream(List<String> events, int answers) {
        Map<Integer, Integer> ended = new HashMap<>();
        String id = "";
        for (int i = 0; i < events.size(); i++) {
            if (events.get(i).equals(DONE)) {
                return i < events.size() - 1 ? "events follow [DONE]" : ends(ended, answers);
            }
            JsonNode chunk = JSON.readTree(events.get(i));
            String chunkId = chunk.path("id").asString("");
            if (chunkId.isEmpty() || !id.isEmpty() && !id.equals(chunkId)) {
                return "the events have several ids: " + id + " " + chunkId;
            }
            id = chunkId;
            for (JsonNode choice : chunk.path("choices")) {
                int index = choice.path("index").asInt(-1);
                if (ended.containsKey(index)) {
                    return "an event follows the end of choice " + index;
                }
                if (choice.path("finish_reason").isString()) {
                    ended.put(index, i);
                }
            }
        }
        return "the stream ends without [DONE]";
    }

    private static String ends(Map<Integer, Integer> ended, int answers) {
        for (int i = 0; i < answers; i++) {
            if (!ended.containsKey(i)) {
                return "a choice has no end: " + i;
            }
        }
        return ended.size() == answers ? "" : "more choices than asked for: " + ended.size();
    }

    /** True if the last event is an error: the server's own end of a stream. */
    static boolean isError(List<String> events) {
        return !events.isEmpty()
                && !events.getLast().equals(DONE)
                && JSON.readTree(events.getLast()).has("error");
    }

    /** The code of an answer that is an error; empty where it has not the form of one. */
    static String errorCode(String body) {
        JsonNode error = JSON.readTree(body).path("error");
        boolean isRight = error.path("message").isString() && error.path("type").isString();
        return isRight ? error.path("code").asString("none") : "";
    }

    /** What a canary compares: all but the id, the time and what the cache had of the prompt. */
    static String essence(String body) {
        JsonNode root = JSON.readTree(body);
        return (root.has("data") ? root.path("data") : root.path("choices")).toString();
    }
}
