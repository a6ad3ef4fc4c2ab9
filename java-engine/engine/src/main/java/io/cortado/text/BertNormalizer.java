package io.cortado.text;

import java.text.Normalizer.Form;
import java.util.BitSet;

/**
 * What BERT does to a text first.
 *
 * @param cleans whether control characters go and every white space becomes a space
 * @param parts whether Chinese characters get spaces around them
 * @param stripsAccents whether characters come apart and lose their marks
 */
record BertNormalizer(boolean cleans, boolean parts, boolean stripsAccents, boolean lowercases)
        implements Normalizer {
    private static final Normalizer DECOMPOSE = new UnicodeForm(Form.NFD);

    /** Marks without a width that the reference's tables, which are of Unicode 8, lack. */
    private static final BitSet NO_MARKS =
            Unicode9.parse(
                    "8d4-8e1 1885-1886 1dfb a8c5 a9bd 111c9 1123e 11438-1143f 11442-11444 11446"
                            + " 11c30-11c36 11c38-11c3d 11c3f 11c92-11ca7 11caa-11cb0 11cb2-11cb3"
                            + " 11cb5-11cb6 1e000-1e006 1e008-1e018 1e01b-1e021 1e023-1e024"
                            + " 1e026-1e02a 1e944-1e94a");

    @Override
    public AlignedText normalize(AlignedText text) {
        AlignedText result = text;
        if (cleans) {
            var out = new Rewrite();
            result = result.filter(c -> !isRemoved(c));
            result.text().codePoints().forEach(c -> out.replace(CharKind.isSpace(c) ? ' ' : c));
            result = out.of(result);
        }
        if (parts) {
            result = partChinese(result);
        }
        if (stripsAccents) {
            result = DECOMPOSE.normalize(result).filter(c -> !isMark(c));
        }
        return lowercases ? Normalizers.lowercase(result) : result;
    }

    private static AlignedText partChinese(AlignedText text) {
        if (text.text().codePoints().noneMatch(BertNormalizer::isChinese)) {
            return text;
        }
        var out = new Rewrite();
        text.text()
                .codePoints()
                .forEach(c -> {
                    if (isChinese(c)) {
                        out.replace(' ');
                        out.insert(c);
                        out.insert(' ');
                    } else {
                        out.replace(c);
                    }
                });
        return out.of(text);
    }

    /** Control and format characters and those of private use, by the reference's tables. */
    private static boolean isRemoved(int c) {
        if (c == '\t' || c == '\n' || c == '\r') {
            return false;
        }
        return switch (Character.getType(c)) {
            case Character.CONTROL, Character.PRIVATE_USE -> true;
            case Character.FORMAT -> c != 0x8E2 && !Unicode9.isYounger(c);
            default -> c == 0xFFFD;
        };
    }

    private static boolean isChinese(int c) {
        return (c >= 0x4E00 && c <= 0x9FFF)
                || (c >= 0x3400 && c <= 0x4DBF)
                || (c >= 0x20000 && c <= 0x2A6DF)
                || (c >= 0x2A700 && c <= 0x2B81F)
                || (c >= 0x2B920 && c <= 0x2CEAF)
                || (c >= 0xF900 && c <= 0xFAFF)
                || (c >= 0x2F800 && c <= 0x2FA1F);
    }

    private static boolean isMark(int c) {
        return c == 0x1734
                || c == 0x1171E
                || (Character.getType(c) == Character.NON_SPACING_MARK
                        && !Unicode9.isYounger(c)
                        && !NO_MARKS.get(c));
    }
}
