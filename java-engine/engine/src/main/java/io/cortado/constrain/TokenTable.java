package io.cortado.constrain;

import io.cortado.text.Tokenizer;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.concurrent.ConcurrentHashMap;

/**
 * A vocabulary as masks see it: the bytes of each token, the tokens that end an output, and the
 * width of a row of logits. Made once per model; immutable but for memos.
 */
public final class TokenTable {
    private static final byte[] NO_BYTES = {};
    private static final CodePoints WORD =
            CodePoints.ofRanges('A', 'Z', 'a', 'z', '0', '9', '_', '_');

    /** What stands for itself within a JSON string. */
    private static final CodePoints PLAIN =
            CodePoints.ofRanges(0, 0x1F, '"', '"', '\\', '\\', 0x7F, 0x7F).not();

    private static final int SHORT = 10;
    private static final int LONG = 30;

    /** The most bytes of a token of the short rest. */
    private static final int SHORT_BYTES = 8;

    /** The number of the trie of all tokens; slices have theirs from 0 on. */
    static final int ALL = -1;

    /** That of the tokens of few bytes that are in no slice. */
    static final int SHORT_REST = -2;

    /** That of the longer tokens that are in no slice. */
    static final int LONG_REST = -3;

    private static final long COMMON_BYTES = 16L << 20;

    private static final int MAX_RUNS = 1_000;

    private record Run(int trie, ByteSet of) {}

    private final CommonMasks commonMasks = new CommonMasks(COMMON_BYTES);
    private final Map<Run, Integer> runs = new ConcurrentHashMap<>();
    private final byte[][] bytes;
    private final int width;
    private final int[] endIds;
    private final Map<String, Integer> controls;
    private final TokenTrie all;
    private final TokenTrie shortRest;
    private final TokenTrie longRest;
    private final List<Slice> slices;
    private final int[] ordinary;

    /**
     * @param bytes by id; empty for control tokens and holes, which no text produces
     * @param controls control tokens by their spelling
     * @param width of a row of logits; ids from {@code bytes.length} on are padding
     * @param endIds the tokens that end an output
     */
    public TokenTable(byte[][] bytes, Map<String, Integer> controls, int width, int... endIds) {
        if (width < bytes.length) {
            throw new IllegalArgumentException(
                    "width must not be below the vocabulary: width="
                            + width
                            + " vocabularySize="
                            + bytes.length);
        }
        this.bytes = bytes.clone();
        this.controls = Map.copyOf(controls);
        this.width = width;
        this.endIds = endIds.clone();
        for (int id : endIds) {
            this.bytes[id] = NO_BYTES;
        }
        ordinary = new int[words()];
        List<Integer> ids = new ArrayList<>();
        for (int id = 0; id < bytes.length; id++) {
            if (this.bytes[id].length > 0) {
                ids.add(id);
                ordinary[id >> 5] |= 1 << id;
            }
        }
        all = new TokenTrie(ids, this.bytes);
        slices = new ArrayList<>();
        addSlice(ids, WORD, SHORT);
        addSlice(ids, PLAIN, SHORT);
        addSlice(ids, PLAIN, LONG);
        addSlice(ids, PLAIN, Regexes.UNBOUNDED);
        List<Integer> shortIds = new ArrayList<>();
        ids.removeIf(id -> this.bytes[id].length <= SHORT_BYTES && shortIds.add(id));
        shortRest = new TokenTrie(shortIds, this.bytes);
        longRest = new TokenTrie(ids, this.bytes);
    }

    /**
     * The table of a tokenizer; its special tokens are the control tokens. Ids that it knows beyond
     * the logits are never drawn, and left out.
     */
    public static TokenTable of(Tokenizer tokenizer, int width, int... endIds) {
        var bytes = new byte[Math.min(width, tokenizer.vocabSize())][];
        Map<String, Integer> controls = new HashMap<>();
        for (int id = 0; id < bytes.length; id++) {
            String text = tokenizer.tokenText(id);
            boolean isControl = tokenizer.isSpecial(id);
            bytes[id] = text == null || isControl ? NO_BYTES : tokenizer.tokenBytes(id);
            if (isControl && text != null) {
                controls.put(text, id);
            }
        }
        return new TokenTable(bytes, controls, width, endIds);
    }

    /** Moves those of at most so many of these characters into a slice of their own. */
    private void addSlice(List<Integer> ids, CodePoints chars, int maxChars) {
        List<Integer> taken = new ArrayList<>();
        ids.removeIf(id -> consistsOf(bytes[id], chars, maxChars) && taken.add(id));
        if (!taken.isEmpty()) {
            slices.add(new Slice(chars, taken, bytes, words()));
        }
    }

    private static boolean consistsOf(byte[] token, CodePoints chars, int maxChars) {
        try {
            String text =
                    StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(token)).toString();
            return text.codePointCount(0, text.length()) <= maxChars
                    && text.codePoints().allMatch(chars::contains);
        } catch (CharacterCodingException e) {
            return false;
        }
    }

    /** How many ints a row of the mask has. */
    public int words() {
        return (width + 31) >> 5;
    }

    public int width() {
        return width;
    }

    /** The id of a control token by its spelling. */
    public OptionalInt control(String text) {
        Integer id = controls.get(text);
        return id == null ? OptionalInt.empty() : OptionalInt.of(id);
    }

    /** The longest control token that is spelled at a place of a text; empty where none is. */
    public String controlAt(String text, int place) {
        String longest = "";
        for (String control : controls.keySet()) {
            if (control.length() > longest.length() && text.startsWith(control, place)) {
                longest = control;
            }
        }
        return longest;
    }

    /** How many ids have a meaning; the rest up to the width is padding. */
    public int size() {
        return bytes.length;
    }

    byte[] bytes(int id) {
        return bytes[id];
    }

    boolean isEnd(int id) {
        for (int end : endIds) {
            if (end == id) {
                return true;
            }
        }
        return false;
    }

    int[] endIds() {
        return endIds;
    }

    /** Whether a set of a grammar names the token: a negated set leaves control tokens out. */
    boolean isNamed(TokenSet set, int id) {
        return set.isNegated() ? bytes[id].length > 0 && !set.names(id) : set.names(id);
    }

    void mark(TokenSet set, int[] bits) {
        if (!set.isNegated()) {
            for (int id : set.ids()) {
                bits[id >> 5] |= 1 << id;
            }
            return;
        }
        int[] marked = ordinary.clone();
        for (int id : set.ids()) {
            if (id < bytes.length) {
                marked[id >> 5] &= ~(1 << id);
            }
        }
        Arrays.setAll(bits, w -> bits[w] | marked[w]);
    }

    CommonMasks commonMasks() {
        return commonMasks;
    }

    List<Slice> slices() {
        return slices;
    }

    TokenTrie trie(int number) {
        return switch (number) {
            case ALL -> all;
            case SHORT_REST -> shortRest;
            case LONG_REST -> longRest;
            default -> slices.get(number).trie();
        };
    }

    /** The most bytes of a set that follow each other in a token of a trie. */
    int longestRun(int trie, ByteSet of) {
        if (runs.size() > MAX_RUNS) {
            runs.clear();
        }
        return runs.computeIfAbsent(new Run(trie, of), key -> trie(trie).longestRun(of));
    }

    /** All tokens that text produces. */
    TokenTrie all() {
        return all;
    }
}
