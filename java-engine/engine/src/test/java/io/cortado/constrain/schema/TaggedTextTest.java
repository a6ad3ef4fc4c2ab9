package io.cortado.constrain.schema;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.constrain.CompiledGrammar;
import io.cortado.constrain.GrammarException;
import io.cortado.constrain.GrammarLimits;
import io.cortado.constrain.Matcher;
import io.cortado.constrain.TokenTable;
import io.cortado.constrain.schema.TaggedText.Tag;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class TaggedTextTest {
    private static final int END = 256;
    private static final int CALL = 257;
    private static final TokenTable BYTES = bytes();

    private static TokenTable bytes() {
        var bytes = new byte[258][];
        for (int i = 0; i < 256; i++) {
            bytes[i] = new byte[] {(byte) i};
        }
        bytes[END] = new byte[0];
        bytes[CALL] = new byte[0];
        return new TokenTable(bytes, Map.of("[CALL]", CALL, "[END]", END), 258, END);
    }

    private static CompiledGrammar compile(List<Tag> tags, String... triggers) {
        return compile(TaggedText.Bounds.ANY, tags, triggers);
    }

    private static CompiledGrammar compile(
            TaggedText.Bounds bounds, List<Tag> tags, String... triggers) {
        return TaggedText.compile(
                tags,
                List.of(triggers),
                bounds,
                SchemaOptions.DEFAULT,
                BYTES,
                GrammarLimits.DEFAULT);
    }

    /** Whether the text is a whole output; no beginning of it may be a dead end. */
    private static boolean accepts(CompiledGrammar grammar, String text) {
        Matcher matcher = grammar.matcher();
        for (byte value : text.getBytes(StandardCharsets.UTF_8)) {
            assertFalse(matcher.isDeadEnd(), text);
            if (!matcher.accept(value & 0xFF)) {
                return false;
            }
        }
        return matcher.isAccepting();
    }

    @Test
    void tagsMayBeAskedForAndMayBeTheLast() {
        List<Tag> tags = List.of(new Tag("<f>", "{\"enum\":[1,22]}", "</f>"));
        CompiledGrammar first = compile(new TaggedText.Bounds(true, false), tags, "<f");
        assertTrue(accepts(first, "<f>1</f>"));
        assertTrue(accepts(first, "<f>1</f> and <f>22</f><f>1</f> more"));
        assertFalse(accepts(first, ""));
        assertFalse(accepts(first, " <f>1</f>"));
        assertFalse(accepts(first, "<f>1</f><f>3</f>"));
        CompiledGrammar last = compile(new TaggedText.Bounds(false, true), tags, "<f");
        assertTrue(accepts(last, ""));
        assertTrue(accepts(last, "text"));
        assertTrue(accepts(last, "text <f>22</f>"));
        assertFalse(accepts(last, "text <f>22</f> "));
        assertFalse(accepts(last, "<f>1</f><f>1</f>"));
        CompiledGrammar only = compile(new TaggedText.Bounds(true, true), tags, "<f");
        assertTrue(accepts(only, "<f>22</f>"));
        assertFalse(accepts(only, ""));
        assertFalse(accepts(only, "a<f>22</f>"));
        assertFalse(accepts(only, "<f>22</f>a"));
    }

    @Test
    void textIsFreeUntilATagOpens() {
        CompiledGrammar grammar =
                compile(
                        List.of(
                                new Tag("<f=a>", "{\"type\":\"integer\"}", "</f>"),
                                new Tag("<f=b>", "{\"enum\":[\"x\"]}", "</f>")),
                        "<f=");
        assertTrue(accepts(grammar, ""));
        assertTrue(accepts(grammar, "Grüße < f= <f <g="));
        assertTrue(accepts(grammar, "one <f=a>12</f> and <f=b>\"x\"</f>"));
        assertTrue(accepts(grammar, "<<f=a>1</f><f=a>2</f>"));
        assertFalse(accepts(grammar, "open <f=a>12"));
        assertFalse(accepts(grammar, "<f=c>"));
        assertFalse(accepts(grammar, "<f=a>\"x\"</f>"));
        assertFalse(accepts(grammar, "<f=b>\"x\"</g>"));
        assertFalse(accepts(grammar, "<f="));
    }

    /** What the language is, said plainly: the first trigger that ends is the one. */
    private static boolean isRight(String text, List<Tag> tags, List<String> triggers) {
        int end = Integer.MAX_VALUE;
        for (String trigger : triggers) {
            int at = text.indexOf(trigger);
            end = at < 0 ? end : Math.min(end, at + trigger.length());
        }
        if (end == Integer.MAX_VALUE) {
            return true;
        }
        for (String trigger : triggers) {
            if (!text.startsWith(trigger, end - trigger.length())) {
                continue;
            }
            for (Tag tag : tags) {
                for (String value : List.of("1", "11")) {
                    String whole = tag.begin() + value + tag.end();
                    int from = end - trigger.length();
                    if (tag.begin().startsWith(trigger)
                            && text.startsWith(whole, from)
                            && isRight(text.substring(from + whole.length()), tags, triggers)) {
                        return true;
                    }
                }
            }
        }
        return false;
    }

    @Test
    void isExactlyItsLanguage() {
        String schema = "{\"enum\":[1,11]}";
        check(List.of(new Tag("aba", schema, "b")), List.of("aba"));
        check(List.of(new Tag("ab", schema, "1")), List.of("a"));
        check(List.of(new Tag("ab", schema, "a"), new Tag("bb", schema, "")), List.of("ab", "bb"));
        check(
                List.of(new Tag("aab", schema, "b"), new Tag("ab", schema, "a")),
                List.of("aa", "ab"));
        check(List.of(new Tag("ba", schema, "")), List.of("b", "ba"));
    }

    /** All texts of up to eight of these letters. */
    private static void check(List<Tag> tags, List<String> triggers) {
        CompiledGrammar grammar = compile(tags, triggers.toArray(String[]::new));
        char[] letters = {'a', 'b', '1'};
        for (int length = 0; length <= 8; length++) {
            for (int n = 0; n < Math.pow(letters.length, length); n++) {
                var text = new StringBuilder();
                for (int i = 0, rest = n; i < length; i++, rest /= letters.length) {
                    text.append(letters[rest % letters.length]);
                }
                assertEquals(
                        isRight(text.toString(), tags, triggers),
                        accepts(grammar, text.toString()),
                        () -> text + " with " + tags + " " + triggers);
            }
        }
    }

    @Test
    void aControlTokensSpellingIsThatToken() {
        Tag tag = new Tag("[CALL]f", "{\"type\":\"boolean\"}", "!");
        Matcher matcher = compile(List.of(tag), "[CALL]").matcher();
        assertTrue(matcher.accept('a'));
        assertTrue(matcher.accept(CALL));
        assertFalse(matcher.accept(CALL));
        assertFalse(matcher.isAccepting());
        for (char letter : "ftrue!".toCharArray()) {
            assertTrue(matcher.accept(letter), "" + letter);
        }
        assertTrue(matcher.accept(CALL));
        assertFalse(accepts(compile(List.of(tag), "[CALL]"), "[CALL]"), "its letters");
        var e =
                assertThrows(
                        GrammarException.class,
                        () -> compile(List.of(new Tag("a[CALL]", "{}", "")), "a[CALL]"));
        assertEquals("/triggers", e.position());
    }

    @Test
    void refusesASchemaAndSaysWhichOne() {
        Tag good = new Tag("<a>", "{}", "<");
        var e =
                assertThrows(
                        GrammarException.class,
                        () -> compile(List.of(good, new Tag("<b>", "{\"items\":7}", "<")), "<"));
        assertEquals("/structures/1/schema/items", e.position());
        assertTrue(
                String.valueOf(e.getMessage()).endsWith(" at /structures/1/schema/items"),
                e.getMessage());
    }
}
