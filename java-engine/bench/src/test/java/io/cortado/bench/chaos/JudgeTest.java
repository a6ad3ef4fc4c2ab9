package io.cortado.bench.chaos;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class JudgeTest {
    private static String event(String id, int index, String reason) {
        String ended = reason.isEmpty() ? "null" : "\"" + reason + "\"";
        return "{\"id\":\""
                + id
                + "\",\"choices\":[{\"index\":"
                + index
                + ",\"finish_reason\":"
                + ended
                + "}]}";
    }

    private static List<String> events(String... events) {
        return new ArrayList<>(List.of(events));
    }

    @Test
    void aStreamEndsEachChoiceOnceAndThenItself() {
        List<String> right =
                events(
                        event("a", 0, ""),
                        event("a", 1, ""),
                        event("a", 1, "stop"),
                        event("a", 0, "length"),
                        "[DONE]");
        assertEquals("", Judge.stream(right, 2));
        assertEquals("more choices than asked for: 2", Judge.stream(right, 1));
        assertEquals("a choice has no end: 2", Judge.stream(right, 3));
        assertEquals("the stream ends without [DONE]", Judge.stream(right.subList(0, 4), 2));
    }

    @Test
    void findsWhatIsLostAndWhatIsDoubled() {
        String end = event("a", 0, "stop");
        assertEquals("a choice has no end: 0", Judge.stream(events("[DONE]"), 1));
        assertEquals("the stream ends without [DONE]", Judge.stream(events(), 1));
        assertEquals(
                "an event follows the end of choice 0",
                Judge.stream(events(end, end, "[DONE]"), 1));
        assertEquals("events follow [DONE]", Judge.stream(events(end, "[DONE]", "[DONE]"), 1));
        assertEquals(
                "the events have several ids: a b",
                Judge.stream(events(event("a", 0, ""), event("b", 0, "stop"), "[DONE]"), 1));
    }

    @Test
    void knowsAnErrorThatEndsAStream() {
        String error = "{\"error\":{\"message\":\"m\",\"type\":\"t\",\"code\":null}}";
        assertTrue(Judge.isError(events(event("a", 0, ""), error)));
        assertFalse(Judge.isError(events(event("a", 0, "stop"), "[DONE]")));
        assertFalse(Judge.isError(events()));
        assertEquals("none", Judge.errorCode(error));
        assertEquals("", Judge.errorCode("{\"detail\":\"no\"}"));
    }

    @Test
    void aWholeAnswerHasEveryChoiceWithItsEnd() {
        String choices =
                "{\"id\":\"x\",\"choices\":[{\"index\":0,\"finish_reason\":\"stop\"},"
                        + "{\"index\":1,\"finish_reason\":%s}],\"usage\":{}}";
        assertEquals("", Judge.whole(choices.formatted("\"length\""), 2));
        assertEquals("a choice has no end: 1", Judge.whole(choices.formatted("null"), 2));
        assertEquals("answers=2 of 3", Judge.whole(choices.formatted("\"stop\""), 3));
        String embeddings = "{\"data\":[{\"index\":0},{\"index\":2}],\"usage\":{}}";
        assertEquals("an index is missing: 1", Judge.whole(embeddings, 2));
        assertEquals("[{\"index\":0},{\"index\":2}]", Judge.essence(embeddings));
    }
}
