package io.cortado.text;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.cortado.text.HermesCalls.Part;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

class HermesCallsTest {
    private static final String F = "<tool_call>\n{\"name\": \"f\", \"arguments\": ";
    private static final String G = "<tool_call>\n{\"name\": \"g-1\", \"arguments\": ";
    private static final String END = "}\n</tool_call>";

    static Stream<Arguments> texts() {
        return Stream.of(
                Arguments.of("", List.of()),
                Arguments.of(" plain <tool text \n", List.of("T: plain <tool text \n")),
                Arguments.of("<tool_call", List.of("T:<tool_call")),
                Arguments.of(F + "{}" + END, List.of("O:0:f", "A:0:{}")),
                Arguments.of(
                        "Let me see. \n" + F + "{\"a\": [1, {\"b\":2}]}" + END + "\n",
                        List.of("T:Let me see.", "O:0:f", "A:0:{\"a\": [1, {\"b\":2}]}")),
                Arguments.of(
                        F + "{\"a\":\"}\\\"{</tool_call>\\\\\"}" + END + "\n" + G + "{ }" + END,
                        List.of(
                                "O:0:f",
                                "A:0:{\"a\":\"}\\\"{</tool_call>\\\\\"}",
                                "O:1:g-1",
                                "A:1:{ }")),
                Arguments.of(
                        F + "{}" + END + " then \n more " + G + "{\"x\":1}" + END + "\n done\n",
                        List.of(
                                "O:0:f",
                                "A:0:{}",
                                "T:then \n more",
                                "O:1:g-1",
                                "A:1:{\"x\":1}",
                                "T:done")),
                Arguments.of(F + "{\"a\": \"cu", List.of("O:0:f", "A:0:{\"a\": \"cu")),
                Arguments.of("text " + F.substring(0, 20), List.of("T:text")),
                Arguments.of(
                        "<tool_call>\nnot a call</tool_call> and",
                        List.of("T:<tool_call>\nnot a call</tool_call> and")));
    }

    /** Adjacent parts of one kind joined. */
    private static List<String> joined(List<Part> parts) {
        List<String> joined = new ArrayList<>();
        for (Part part : parts) {
            String text =
                    switch (part) {
                        case Part.Text(String t) -> "T:" + t;
                        case Part.Opened(int i, String name) -> "O:" + i + ":" + name;
                        case Part.Arguments(int i, String json) -> "A:" + i + ":" + json;
                    };
            int head = text.startsWith("T") ? 2 : text.indexOf(':', 2) + 1;
            boolean goesOn =
                    !joined.isEmpty()
                            && !text.startsWith("O")
                            && joined.getLast().startsWith(text.substring(0, head));
            if (goesOn) {
                joined.add(joined.removeLast() + text.substring(head));
            } else {
                joined.add(text);
            }
        }
        return joined;
    }

    private static List<String> read(List<String> pieces) {
        HermesCalls calls = new HermesCalls();
        List<Part> parts = new ArrayList<>();
        pieces.forEach(piece -> parts.addAll(calls.feed(piece)));
        parts.addAll(calls.flush());
        return joined(parts);
    }

    @ParameterizedTest
    @MethodSource("texts")
    void readsCallsHoweverTheTextIsCut(String text, List<String> expected) {
        assertEquals(expected, read(List.of(text)));
        assertEquals(expected, read(List.of(text.split(""))));
        Random random = new Random(7);
        for (int round = 0; round < 200; round++) {
            List<String> pieces = new ArrayList<>();
            for (int at = 0; at < text.length(); ) {
                int next = Math.min(text.length(), at + random.nextInt(9));
                pieces.add(text.substring(at, next));
                at = next;
            }
            assertEquals(expected, read(pieces), pieces.toString());
        }
    }

    /** Only what may be a marker waits. */
    @Test
    void textAndArgumentsComeAtOnce() {
        HermesCalls calls = new HermesCalls();
        assertEquals(List.of(new Part.Text("Hello")), calls.feed("Hello"));
        assertEquals(List.of(), calls.feed(" <tool"));
        assertEquals(List.of(new Part.Text(" <tools")), calls.feed("s"));
        assertEquals(List.of(new Part.Opened(0, "f")), calls.feed(F + "{").subList(0, 1));
        assertEquals(List.of(new Part.Arguments(0, "\"a\":")), calls.feed("\"a\":"));
        assertEquals(1, calls.calls());
    }
}
