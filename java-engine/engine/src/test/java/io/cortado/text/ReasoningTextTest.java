package io.cortado.text;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.cortado.api.Reasoning;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ReasoningTextTest {
    private static final Reasoning THINK = new Reasoning("<think>", "</think>");

    private static String read(boolean startsInside, List<String> pieces) {
        ReasoningText text = new ReasoningText(THINK, startsInside);
        StringBuilder thought = new StringBuilder();
        StringBuilder answer = new StringBuilder();
        List<ReasoningText.Part> parts = new ArrayList<>();
        pieces.forEach(piece -> parts.addAll(text.feed(piece)));
        parts.addAll(text.flush());
        parts.forEach(part -> (part.isReasoning() ? thought : answer).append(part.text()));
        return thought + "#" + answer;
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '"',
            value = {
                "false | \"<think>\nhm, </thin \n\n</think>\n\nYes. </think>\n\" | \"hm, </thin#Yes. </think>\n\"",
                "false | \" \n<think></think>Yes\" | \"#Yes\"",
                "false | \" Yes <think>no</think>\" | \"# Yes <think>no</think>\"",
                "false | \"<thin\" | \"#<thin\"",
                "false | \"<think> cut </thi\" | \"cut </thi#\"",
                "false | \"<think> cut \n \" | \"cut#\"",
                "true | \"\nhm <think> \n</think> a\nb \" | \"hm <think>#a\nb \"",
                "true | \"</think>\" | \"#\"",
                "true | \"\n\n\" | \"#\"",
            })
    void splitsHoweverTheTextIsCut(boolean startsInside, String text, String expected) {
        assertEquals(expected, read(startsInside, List.of(text)));
        assertEquals(expected, read(startsInside, List.of(text.split(""))));
        Random random = new Random(7);
        for (int round = 0; round < 200; round++) {
            List<String> pieces = new ArrayList<>();
            for (int at = 0; at < text.length(); ) {
                int next = Math.min(text.length(), at + random.nextInt(7));
                pieces.add(text.substring(at, next));
                at = next;
            }
            assertEquals(expected, read(startsInside, pieces), pieces.toString());
        }
    }

    @Test
    void reasoningComesAsItIsWritten() {
        ReasoningText text = new ReasoningText(THINK, true);
        assertEquals(List.of(new ReasoningText.Part(true, "I")), text.feed("I "));
        assertEquals(List.of(new ReasoningText.Part(true, " see")), text.feed("see"));
        assertEquals(List.of(), text.feed("</"));
        assertEquals(List.of(new ReasoningText.Part(false, "a")), text.feed("think>a"));
        assertEquals(List.of(new ReasoningText.Part(false, "</")), text.feed("</"));
    }
}
