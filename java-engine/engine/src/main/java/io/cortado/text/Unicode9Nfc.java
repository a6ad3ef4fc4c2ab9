package io.cortado.text;

import java.text.Normalizer.Form;
import java.util.BitSet;

/**
 * NFC by the tables of Unicode 9, which the reference uses and models were trained with.
 *
 * <p>Younger characters were unassigned then: they neither move nor compose. Each is copied as it
 * stands, and the text between two of them is normalized by the JDK, whose results for older
 * characters may never change.
 */
final class Unicode9Nfc implements Normalizer {
    /** The characters younger than Unicode 9 that take part in normalization in Unicode 16. */
    private static final String YOUNGER =
            "7fd 897-89f 8ca-8d3 9fe c3c d3b-d3c eba 1715 1abf-1ace 1df6-1dfa a82c 105c9 105d2 105da"
                    + " 105e4 10d24-10d27 10d69-10d6d 10eab-10eac 10efd-10eff 10f46-10f50 10f82-10f85"
                    + " 11070 1133b 11382-11385 1138b 1138e 11390-11391 113b8 113bb 113c2 113c5"
                    + " 113c7-113c9 113ce-113d0 1145e 11839-1183a 11930 11935 11938 1193d-1193e 11943"
                    + " 119e0 11a34 11a47 11a99 11d42 11d44-11d45 11d97 11f41-11f42 1611e-16129 1612f"
                    + " 16d63 16d67-16d6a 16ff0-16ff1 1e08f 1e130-1e136 1e2ae 1e2ec-1e2ef 1e4ec-1e4ef"
                    + " 1e5ee-1e5ef";

    private static final BitSet INERT = parse(YOUNGER);

    @Override
    public String normalize(String text) {
        if (text.chars().allMatch(c -> c < 0x300)) {
            return text;
        }
        var out = new StringBuilder(text.length());
        int from = 0;
        for (int i = 0; i < text.length(); ) {
            int c = text.codePointAt(i);
            int width = Character.charCount(c);
            if (INERT.get(c)) {
                out.append(java.text.Normalizer.normalize(text.substring(from, i), Form.NFC));
                out.appendCodePoint(c);
                from = i + width;
            }
            i += width;
        }
        return out.append(java.text.Normalizer.normalize(text.substring(from), Form.NFC))
                .toString();
    }

    private static BitSet parse(String ranges) {
        var set = new BitSet();
        for (String range : ranges.split(" ", -1)) {
            int dash = range.indexOf('-');
            int first = Integer.parseInt(dash < 0 ? range : range.substring(0, dash), 16);
            int last = dash < 0 ? first : Integer.parseInt(range.substring(dash + 1), 16);
            set.set(first, last + 1);
        }
        return set;
    }
}
