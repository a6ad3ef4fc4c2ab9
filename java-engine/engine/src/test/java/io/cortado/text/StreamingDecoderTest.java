package io.cortado.text;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

class StreamingDecoderTest {
    private final StreamingDecoder decoder = new StreamingDecoder(TinyTokenizer.open(), false);

    @Test
    void emitsACharacterOnlyWhenItIsWhole() {
        assertEquals("", decoder.feed(0xF0));
        assertEquals("", decoder.feed(0x9F));
        assertEquals("", decoder.feed(0x98));
        assertEquals("\uD83D\uDE00", decoder.feed(0x80));
        assertEquals("", decoder.flush());
    }

    @Test
    void unfinishedCharacterIsOneReplacementAtTheEnd() {
        assertEquals("", decoder.feed(0xE2) + decoder.feed(0x82));
        assertEquals("\uFFFD", decoder.flush());
        assertEquals("a", decoder.feed('a'));
    }

    @Test
    void invalidBytesAreReplacedByMaximalParts() {
        assertEquals("\uFFFD\uFFFD\uFFFD", feed(0xED, 0xA0, 0x80));
        assertEquals("\uFFFDa", feed(0xE2, 0x82, 'a'));
        assertEquals("\uFFFD\uFFFD", feed(0xC0, 0x80));
        assertEquals("\uFFFD\uFFFD\uFFFD\uFFFD", feed(0xF5, 0x80, 0x80, 0x80));
    }

    private String feed(int... ids) {
        var text = new StringBuilder();
        for (int id : ids) {
            text.append(decoder.feed(id));
        }
        return text.append(decoder.flush()).toString();
    }
}
