package io.cortado.engine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.api.EngineException;
import io.cortado.api.Reasoning;
import io.cortado.constrain.TokenTable;
import io.cortado.engine.ReasoningRegion.Start;
import io.cortado.text.AddedTokenMatch;
import io.cortado.text.Tokenizer;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;

/** On the demo model's vocabulary: {@code <tool_call>} is one token there, {@code <think>} many. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class ReasoningRegionTest {
    private static final Reasoning THINK = new Reasoning("<think>", "</think>");
    private static final Reasoning TOKENS = new Reasoning("<tool_call>", "</tool_call>");

    private Tokenizer tokenizer;
    private TokenTable vocabulary;
    private int end;

    @BeforeAll
    void open() throws IOException {
        tokenizer = Tokenizer.open(DemoEngine.folder());
        end = tokenizer.idOf("<|im_end|>").orElseThrow();
        vocabulary = TokenTable.of(tokenizer, tokenizer.vocabSize(), end);
    }

    private ReasoningRegion region(Reasoning reasoning) {
        return new ReasoningRegion(reasoning, tokenizer, vocabulary, new int[] {end});
    }

    private int[] ids(String text) {
        return tokenizer.encode(text, false, AddedTokenMatch.ALL);
    }

    private Start start(Reasoning reasoning, String prompt) {
        return region(reasoning).start(ids(prompt));
    }

    @Test
    void thePromptsLastMarkerSaysWhereTheOutputBegins() {
        for (Reasoning each : new Reasoning[] {THINK, TOKENS}) {
            String open = each.begin();
            String close = each.end();
            assertEquals(Start.EITHER, start(each, "Hello"));
            assertEquals(Start.INSIDE, start(each, "Hello" + open));
            assertEquals(Start.INSIDE, start(each, "Hello" + close + "\n" + open + "\n"));
            assertEquals(Start.ANSWER, start(each, open + "\n\n" + close + "\n\n"));
            assertEquals(Start.EITHER, start(each, open + "\nno end"));
            assertEquals(Start.EITHER, start(each, close + "<|im_end|>\n<|im_start|>assistant\n"));
            assertEquals(Start.EITHER, start(each, " \n ".repeat(3000)));
            Reasoning always = new Reasoning("", close);
            assertEquals(Start.INSIDE, start(always, "Hello"));
            assertEquals(Start.ANSWER, start(always, "Hello" + close));
        }
    }

    /** However the text is cut into tokens: the state is the longest beginning of the marker. */
    @Test
    void findsTheEndMarkerAcrossTokens() {
        ReasoningRegion region = region(new Reasoning("", "aab</aab>"));
        String text = "x aab</aaab< aaab</aab";
        int state = 0;
        for (byte each : text.getBytes(StandardCharsets.UTF_8)) {
            state = region.after(state, byteToken(each));
            assertTrue(state >= 0, text);
        }
        assertEquals(8, state);
        assertEquals(ReasoningRegion.ENDED, region.after(state, byteToken((byte) '>')));
        int whole = 0;
        for (int id : ids("he said </think")) {
            whole = region(THINK).after(whole, id);
        }
        assertEquals("</think".length(), whole);
    }

    private int byteToken(byte value) {
        for (int id = 0; id < tokenizer.vocabSize(); id++) {
            byte[] bytes = tokenizer.tokenBytes(id);
            if (bytes.length == 1 && bytes[0] == value && !tokenizer.isSpecial(id)) {
                return id;
            }
        }
        throw new AssertionError("no token of one byte: " + value);
    }

    /** By a plain look at each token's text. */
    @Test
    void insideAllIsAllowedButTheEndAndWhatGoesBeyondTheMarker() {
        Reasoning reasoning = new Reasoning("", "ea");
        ReasoningRegion region = region(reasoning);
        int banned = 0;
        for (int id = 0; id < tokenizer.vocabSize(); id++) {
            for (int state = 0; state < 2; state++) {
                String text =
                        "e".repeat(state) + new String(bytes(id), StandardCharsets.ISO_8859_1);
                int at = text.indexOf("ea");
                boolean goesBeyond = at >= 0 && !text.substring(at + 2).isBlank();
                boolean isRight = id != end && !(goesBeyond && !tokenizer.isSpecial(id));
                boolean isAllowed = (region.inside(state)[id >> 5] >>> id & 1) != 0;
                assertEquals(isRight, isAllowed, state + ": " + text);
                banned += isAllowed ? 0 : 1;
            }
        }
        assertTrue(banned > 4, "the vocabulary has none: banned=" + banned);
        int[] last = region.inside(0);
        assertEquals(0, last[last.length - 1] >>> vocabulary.size() & (vocabulary.size() & 31));
    }

    private byte[] bytes(int id) {
        return tokenizer.isSpecial(id) ? new byte[0] : tokenizer.tokenBytes(id);
    }

    @Test
    void theBeginMarkerOpensByItsOwnTokensOnly() {
        ReasoningRegion region = region(TOKENS);
        int begin = tokenizer.idOf("<tool_call>").orElseThrow();
        assertTrue(region.isOpen(region.opened(0, begin)));
        assertEquals(-1, region.opened(0, ids("x")[0]));
        assertEquals(-1, region.opened(1, begin));
        int drawn = 0;
        for (byte each : "<think>".getBytes(StandardCharsets.UTF_8)) {
            assertFalse(region(THINK).isOpen(drawn));
            assertTrue(region(THINK).opening(drawn).length > 0);
            drawn = region(THINK).opened(drawn, byteToken(each));
        }
        assertTrue(region(THINK).isOpen(drawn));
    }

    @Test
    void refusesMarkersThatAreNone() {
        assertThrows(EngineException.class, () -> new Reasoning("a", ""));
        assertThrows(EngineException.class, () -> new Reasoning("a", "a"));
        assertThrows(EngineException.class, () -> new Reasoning("a", "b".repeat(1000)));
    }
}
