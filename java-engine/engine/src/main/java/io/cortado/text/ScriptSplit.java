package io.cortado.text;

import java.lang.Character.UnicodeScript;

/**
 * Cuts where the script changes, as SentencePiece does: the three Japanese scripts are one, a space
 * belongs to what is before it, and what is before the first script is left out.
 */
final class ScriptSplit implements PreTokenizer {
    @Override
    public void split(AlignedText text, int start, int end, Sink out) {
        UnicodeScript last = UnicodeScript.UNKNOWN;
        int from = end;
        for (int i = start; i < end; ) {
            int c = text.text().codePointAt(i);
            UnicodeScript script = script(c);
            if (script != UnicodeScript.UNKNOWN) {
                if (script != last) {
                    if (from < i) {
                        out.word(text, from, i);
                    }
                    from = i;
                }
                last = script;
            }
            i += Character.charCount(c);
        }
        if (from < end) {
            out.word(text, from, end);
        }
    }

    /** By the tables of the reference; unknown for what belongs to no script, and for a space. */
    private static UnicodeScript script(int c) {
        if (c == ' ' || Unicode9.isYounger(c)) {
            return UnicodeScript.UNKNOWN;
        }
        return switch (c) {
            case 0x30FC -> UnicodeScript.HAN;
            case 0x589, 0x61C -> UnicodeScript.COMMON;
            case 0x953, 0x954 -> UnicodeScript.DEVANAGARI;
            default -> {
                UnicodeScript script = UnicodeScript.of(c);
                yield script == UnicodeScript.HIRAGANA || script == UnicodeScript.KATAKANA
                        ? UnicodeScript.HAN
                        : script;
            }
        };
    }
}
