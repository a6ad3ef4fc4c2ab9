package io.cortado.bench.conformance;

import io.cortado.constrain.TokenTable;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * A vocabulary for the texts of a case: the single bytes, pieces of the texts, and numbered tokens
 * that a text spells as llama.cpp's tests do, U+FFFD and four characters of the id.
 */
final class CaseVocabulary {
    private static final int END = 0;

    /** Ids below are numbered tokens, with bytes that no text has. */
    private static final int NUMBERED = 256;

    private static final int MAX_PIECES = 2_000;
    private static final int MAX_PIECE = 6;
    private static final char MARK = '\uFFFD';

    private final List<byte[]> bytes = new ArrayList<>();
    private final Map<String, Integer> ids = new HashMap<>();
    private final TokenTable table;

    CaseVocabulary(List<String> texts) {
        for (int id = 0; id < NUMBERED; id++) {
            bytes.add(new byte[] {(byte) 0xFF, 0, 0, 0, (byte) id});
        }
        for (int value = 0; value < 256; value++) {
            add(String.valueOf((char) value));
        }
        for (String text : texts) {
            String units = units(text);
            for (int from = 0; from < units.length() && bytes.size() < MAX_PIECES; from += 3) {
                int to = Math.min(units.length(), from + 2 + from % (MAX_PIECE - 1));
                if (units.indexOf(MARK, from) < 0 || units.indexOf(MARK, from) >= to) {
                    add(units.substring(from, to));
                }
            }
        }
        table = new TokenTable(bytes.toArray(new byte[0][]), Map.of(), bytes.size(), END);
    }

    private void add(String units) {
        if (ids.putIfAbsent(units, bytes.size()) == null) {
            bytes.add(units.getBytes(StandardCharsets.ISO_8859_1));
        }
    }

    TokenTable table() {
        return table;
    }

    int[] bytes(String text) {
        return encode(text, 1);
    }

    /** The longest piece at each place. */
    int[] longest(String text) {
        return encode(text, MAX_PIECE);
    }

    private int[] encode(String text, int maxPiece) {
        String units = units(text);
        var tokens = new ArrayList<Integer>();
        int at = 0;
        while (at < units.length()) {
            if (units.charAt(at) == MARK) {
                tokens.add((int) units.charAt(at + 1));
                at += 2;
                continue;
            }
            int to = Math.min(units.length(), at + maxPiece);
            Integer id = ids.get(units.substring(at, to));
            while (id == null) {
                id = ids.get(units.substring(at, --to));
            }
            tokens.add(id);
            at = to;
        }
        return tokens.stream().mapToInt(Integer::intValue).toArray();
    }

    /** UTF-8, a char per byte; a numbered token as the mark and its id. */
    private static String units(String text) {
        var units = new StringBuilder();
        for (int i = 0; i < text.length(); ) {
            if (text.startsWith(MARK + "\0\0\0", i) && i + 4 < text.length()) {
                units.append(MARK).append(text.charAt(i + 4));
                i += 5;
                continue;
            }
            int codePoint = text.codePointAt(i);
            var utf8 = new ByteArrayOutputStream();
            utf8.writeBytes(Character.toString(codePoint).getBytes(StandardCharsets.UTF_8));
            units.append(utf8.toString(StandardCharsets.ISO_8859_1));
            i += Character.charCount(codePoint);
        }
        return units.toString();
    }
}
