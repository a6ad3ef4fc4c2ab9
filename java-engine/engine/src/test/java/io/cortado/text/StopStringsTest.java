package io.cortado.text;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class StopStringsTest {
    @Test
    void holdsBackWhatMayBecomeAStopString() {
        var matcher = StopStrings.of(List.of("STOP"), false).matcher();
        assertEquals("a ", matcher.feed("a ST").text());
        assertEquals("STA", matcher.feed("A").text());
        assertEquals("", matcher.feed("STO").text());
        assertEquals("STO", matcher.flush());
    }

    @Test
    void findsAStopStringOverTheBordersOfTokens() {
        var matcher = StopStrings.of(List.of("x", "</s>"), false).matcher();
        assertEquals("hi", matcher.feed("hi<").text());
        var step = matcher.feed("/s>more");
        assertEquals("", step.text());
        assertEquals(new StopStrings.Match(1, "</s>"), step.match());
        assertEquals("", matcher.feed("after").text());
        assertEquals("", matcher.flush());
    }

    @Test
    void includesTheStopStringWhereAsked() {
        var step = StopStrings.of(List.of("end"), true).matcher().feed("the end of");
        assertEquals("the end", step.text());
        assertNotNull(step.match());
    }

    @Test
    void shorterStopInsideALongerOneStopsFirst() {
        var step = StopStrings.of(List.of("abcd", "bc"), false).matcher().feed("zabcd");
        assertEquals("za", step.text());
        assertEquals(new StopStrings.Match(1, "bc"), step.match());
    }

    @Test
    void agreesWithSearchingTheWholeText() {
        var random = new Random(3);
        for (int round = 0; round < 2000; round++) {
            var stops =
                    List.of(
                            word(random, 1 + random.nextInt(4)),
                            word(random, 1 + random.nextInt(4)));
            String text = word(random, 30);
            var matcher = StopStrings.of(stops, false).matcher();
            var shown = new StringBuilder();
            StopStrings.Match match = null;
            for (int i = 0; i < text.length() && match == null; ) {
                int end = Math.min(text.length(), i + 1 + random.nextInt(4));
                var step = matcher.feed(text.substring(i, end));
                shown.append(step.text());
                match = step.match();
                i = end;
            }
            shown.append(matcher.flush());
            assertEquals(
                    expected(text, stops),
                    shown.toString(),
                    "seed 3, round " + round + " " + stops + " " + text);
        }
    }

    private static String expected(String text, List<String> stops) {
        for (int end = 1; end <= text.length(); end++) {
            String head = text.substring(0, end);
            String longest =
                    stops.stream()
                            .filter(head::endsWith)
                            .max((a, b) -> a.length() - b.length())
                            .orElse("");
            if (!longest.isEmpty()) {
                return head.substring(0, end - longest.length());
            }
        }
        return text;
    }

    private static String word(Random random, int length) {
        return random.ints(length, 'a', 'd')
                .collect(StringBuilder::new, StringBuilder::appendCodePoint, StringBuilder::append)
                .toString();
    }

    @Test
    void emptyStopStringsAreRefused() {
        assertThrows(IllegalArgumentException.class, () -> StopStrings.of(List.of("a", ""), false));
        assertNull(StopStrings.of(List.of(), false).matcher().feed("text").match());
    }
}
