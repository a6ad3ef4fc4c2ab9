package io.cortado.engine;

import io.cortado.api.Reasoning;
import io.cortado.constrain.TokenTable;
import io.cortado.text.Tokenizer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/**
 * The markers of a model's reasoning over its vocabulary. A text is a row of symbols here: its
 * bytes, and control tokens as one symbol each. How much of the end marker has been drawn is a
 * state, as in Knuth, Morris and Pratt's search. Immutable.
 */
final class ReasoningRegion {
    /** Where an output begins. */
    enum Start {
        /** Inside of the reasoning. */
        INSIDE,
        /** With the answer, or with the marker that opens the reasoning. */
        EITHER,
        /** With the answer. */
        ANSWER
    }

    /** The end marker has been drawn, and nothing but white space behind it. */
    static final int ENDED = -1;

    /** The end marker has been drawn, and more behind it. */
    private static final int OVERSHOT = -2;

    private static final int FIRST_CONTROL = 256;

    /** White space of a prompt that is looked through for a marker. */
    private static final int MAX_TAIL = 1024;

    private final Tokenizer tokenizer;
    private final int size;
    private final int[] begin;
    private final int[] end;

    /** For each number of symbols of the end marker the longest border of that beginning. */
    private final int[] borders;

    /** What may be drawn inside, for each state. */
    private final int[][] inside;

    /** The tokens that go on with the begin marker, for each number of its symbols. */
    private final int[][] opening;

    /**
     * @param endIds never drawn inside
     */
    ReasoningRegion(Reasoning reasoning, Tokenizer tokenizer, TokenTable vocabulary, int[] endIds) {
        this.tokenizer = tokenizer;
        size = vocabulary.size();
        begin = symbols(reasoning.begin(), vocabulary);
        end = symbols(reasoning.end(), vocabulary);
        borders = borders(end);
        inside = insideMasks(vocabulary.words(), endIds);
        opening = openings();
    }

    /** How an answer to the prompt begins. */
    Start start(int[] prompt) {
        int[] tail = tail(prompt, Math.max(begin.length, end.length));
        if (endsWith(tail, end)) {
            return Start.ANSWER;
        }
        return begin.length == 0 || endsWith(tail, begin) ? Start.INSIDE : Start.EITHER;
    }

    /** The bits of what may be drawn inside; shared, not to be written to. */
    int[] inside(int state) {
        return inside[state];
    }

    /** The state after a token, or {@link #ENDED}. */
    int after(int state, int token) {
        int after = walk(state, symbols(token));
        return after == OVERSHOT ? ENDED : after;
    }

    /** Tokens that go on with the begin marker after so many of its symbols. */
    int[] opening(int drawn) {
        return opening[drawn];
    }

    /** Symbols of the begin marker after one more token; -1 where it is none of the marker's. */
    int opened(int drawn, int token) {
        return opened(drawn, symbols(token));
    }

    private int opened(int drawn, int[] symbols) {
        int opened = drawn + symbols.length;
        boolean goesOn =
                symbols.length > 0
                        && opened <= begin.length
                        && Arrays.equals(symbols, 0, symbols.length, begin, drawn, opened);
        return goesOn ? opened : -1;
    }

    boolean isOpen(int drawn) {
        return drawn == begin.length;
    }

    private int walk(int state, int[] symbols) {
        int at = state;
        for (int i = 0; i < symbols.length; i++) {
            while (at > 0 && end[at] != symbols[i]) {
                at = borders[at];
            }
            at += end[at] == symbols[i] ? 1 : 0;
            if (at == end.length) {
                return isSpace(symbols, i + 1) ? ENDED : OVERSHOT;
            }
        }
        return at;
    }

    private static boolean isSpace(int[] symbols, int from) {
        for (int i = from; i < symbols.length; i++) {
            if (!isSpace(symbols[i])) {
                return false;
            }
        }
        return true;
    }

    private static boolean isSpace(int symbol) {
        return symbol == ' ' || symbol == '\n' || symbol == '\r' || symbol == '\t';
    }

    private int[] symbols(int token) {
        if (token >= size) {
            return new int[0];
        }
        if (tokenizer.isSpecial(token)) {
            return new int[] {FIRST_CONTROL + token};
        }
        byte[] bytes = tokenizer.tokenBytes(token);
        int[] symbols = new int[bytes.length];
        Arrays.setAll(symbols, i -> bytes[i] & 0xFF);
        return symbols;
    }

    private static int[] symbols(String marker, TokenTable vocabulary) {
        List<Integer> symbols = new ArrayList<>();
        int at = 0;
        while (at < marker.length()) {
            String control = vocabulary.controlAt(marker, at);
            int next = marker.offsetByCodePoints(at, 1);
            if (control.isEmpty()) {
                byte[] bytes = marker.substring(at, next).getBytes(StandardCharsets.UTF_8);
                for (byte each : bytes) {
                    symbols.add(each & 0xFF);
                }
                at = next;
            } else {
                symbols.add(FIRST_CONTROL + vocabulary.control(control).orElseThrow());
                at += control.length();
            }
        }
        return symbols.stream().mapToInt(Integer::intValue).toArray();
    }

    private static int[] borders(int[] of) {
        int[] borders = new int[of.length];
        int border = 0;
        for (int i = 1; i < of.length; i++) {
            borders[i] = border;
            while (border > 0 && of[border] != of[i]) {
                border = borders[border];
            }
            border += of[border] == of[i] ? 1 : 0;
        }
        return borders;
    }

    /** One look at each token finds those that can go beyond the end at all: they are few. */
    private int[][] insideMasks(int words, int[] endIds) {
        int[] every = new int[words];
        List<int[]> beyond = new ArrayList<>();
        List<Integer> beyondIds = new ArrayList<>();
        for (int id = 0; id < size; id++) {
            every[id >> 5] |= 1 << id;
            int[] symbols = symbols(id);
            if (goesBeyond(symbols)) {
                beyond.add(symbols);
                beyondIds.add(id);
            }
        }
        int[] all = without(every, endIds);
        int[][] masks = new int[end.length][];
        for (int state = 0; state < masks.length; state++) {
            int at = state;
            int[] banned =
                    IntStream.range(0, beyond.size())
                            .filter(i -> walk(at, beyond.get(i)) == OVERSHOT)
                            .map(beyondIds::get)
                            .toArray();
            masks[state] = banned.length == 0 ? all : without(all, banned);
        }
        return masks;
    }

    private static int[] without(int[] mask, int[] ids) {
        int[] rest = mask.clone();
        for (int id : ids) {
            rest[id >> 5] &= ~(1 << id);
        }
        return rest;
    }

    private boolean goesBeyond(int[] symbols) {
        for (int i = 0; i < symbols.length - 1; i++) {
            if (symbols[i] == end[end.length - 1] && !isSpace(symbols, i + 1)) {
                return true;
            }
        }
        return false;
    }

    private int[][] openings() {
        IntStream.Builder[] ids = new IntStream.Builder[begin.length];
        Arrays.setAll(ids, _ -> IntStream.builder());
        for (int id = 0; id < size; id++) {
            int[] symbols = symbols(id);
            for (int drawn = 0; drawn < ids.length; drawn++) {
                if (opened(drawn, symbols) > 0) {
                    ids[drawn].add(id);
                }
            }
        }
        return Arrays.stream(ids).map(each -> each.build().toArray()).toArray(int[][]::new);
    }

    /** The last symbols before white space at the end of a prompt. */
    private int[] tail(int[] prompt, int wanted) {
        List<Integer> reversed = new ArrayList<>();
        int looked = 0;
        for (int i = prompt.length - 1; i >= 0 && reversed.size() < wanted; i--) {
            int[] symbols = symbols(prompt[i]);
            for (int s = symbols.length - 1; s >= 0; s--) {
                if (!reversed.isEmpty() || !isSpace(symbols[s])) {
                    reversed.add(symbols[s]);
                }
            }
            looked += Math.max(1, symbols.length);
            if (looked > MAX_TAIL) {
                break;
            }
        }
        return reversed.reversed().stream().mapToInt(Integer::intValue).toArray();
    }

    private static boolean endsWith(int[] tail, int[] marker) {
        int from = tail.length - marker.length;
        return marker.length > 0
                && from >= 0
                && Arrays.equals(tail, from, tail.length, marker, 0, marker.length);
    }
}
