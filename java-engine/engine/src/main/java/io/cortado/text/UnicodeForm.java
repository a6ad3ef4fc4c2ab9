package io.cortado.text;

import java.text.Normalizer.Form;

/**
 * NFC, NFD, NFKC and NFKD by the tables of Unicode 9, which the reference uses and models were
 * trained with.
 *
 * <p>Younger characters were unassigned then: they neither move nor compose nor come apart. Each is
 * copied as it stands, and the text between two of them is normalized by the JDK, whose results for
 * older characters may never change.
 */
record UnicodeForm(Form form) implements Normalizer {
    @Override
    public AlignedText normalize(AlignedText source) {
        if (allBelow(source.text(), form == Form.NFC ? 0x300 : form == Form.NFD ? 0xC0 : 0xA0)) {
            return source;
        }
        return source.isAligned()
                ? NormalizationSteps.of(source.text(), form).of(source)
                : source.withText(normalized(source.text()));
    }

    private static boolean allBelow(String text, int limit) {
        for (int i = 0; i < text.length(); i++) {
            if (text.charAt(i) >= limit) {
                return false;
            }
        }
        return true;
    }

    private String normalized(String text) {
        var out = new StringBuilder(text.length());
        int from = 0;
        for (int i = 0; i < text.length(); ) {
            int c = text.codePointAt(i);
            int width = Character.charCount(c);
            if (Unicode9.isYounger(c)) {
                out.append(java.text.Normalizer.normalize(text.substring(from, i), form));
                out.appendCodePoint(c);
                from = i + width;
            }
            i += width;
        }
        return out.append(java.text.Normalizer.normalize(text.substring(from), form)).toString();
    }
}
