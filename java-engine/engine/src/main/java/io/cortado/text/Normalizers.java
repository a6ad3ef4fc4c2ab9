package io.cortado.text;

/** The normalizers that need no class of their own, as the reference defines them. */
final class Normalizers {
    private Normalizers() {}

    /** Character by character, without the rules of words: a final sigma stays σ. */
    static AlignedText lowercase(AlignedText text) {
        var out = new Rewrite();
        text.text()
                .codePoints()
                .forEach(c -> {
                    if (c == 0x130) {
                        out.replace('i');
                        out.insert(0x307);
                    } else {
                        out.replace(lower(c));
                    }
                });
        return out.of(text);
    }

    /** The reference knows the pairs of Unicode 17, one version ahead of the JDK. */
    private static int lower(int c) {
        if (c >= 0x16EA0 && c <= 0x16EB8) {
            return c + 0x1B;
        }
        return c == 0xA7CE || c == 0xA7D2 || c == 0xA7D4 ? c + 1 : Character.toLowerCase(c);
    }

    /** Takes white space away at the ends. */
    static Normalizer strip(boolean left, boolean right) {
        return text -> {
            String s = text.text();
            int from = 0;
            int to = s.length();
            while (left && from < to && CharKind.isSpace(s.charAt(from))) {
                from++;
            }
            while (right && from < to && CharKind.isSpace(s.charAt(to - 1))) {
                to--;
            }
            return text.slice(from, to);
        };
    }

    static AlignedText stripAccents(AlignedText text) {
        return text.filter(c -> !isMark(c));
    }

    private static boolean isMark(int c) {
        if (c == 0x1CF2 || c == 0x1CF3) {
            return true;
        }
        return c >= 0x300 && CharKind.isMark(c) && !Unicode9.isYounger(c) && c != 0x111C9;
    }

    static Normalizer prepend(String prefix) {
        return text -> text.isEmpty() || prefix.isEmpty() ? text : text.prepend(prefix);
    }

    /** Each match by {@code content}, which stands for what the end of the match stands for. */
    static Normalizer replace(PieceFinder finder, String content) {
        return text -> {
            String s = text.text();
            var out = new StringBuilder(s.length());
            var units = new IntList();
            int[] covered = {0};
            finder.find(
                    s,
                    (start, end) -> {
                        copy(text, covered[0], start, out, units);
                        out.append(content);
                        for (int i = 0; text.isAligned() && i < content.length(); i++) {
                            units.add(Math.max(end - 1, 0));
                        }
                        covered[0] = end;
                    });
            if (covered[0] == 0 && out.isEmpty()) {
                return text;
            }
            copy(text, covered[0], s.length(), out, units);
            return text.isAligned()
                    ? AlignedText.aligned(
                            out.toString(), places(text, units, true), places(text, units, false))
                    : text.withText(out.toString());
        };
    }

    /** The same of a string: quick where no places are kept. */
    static Normalizer replaceLiteral(String literal, String content) {
        Normalizer aligned = replace(PieceFinder.literal(literal), content);
        return text ->
                text.isAligned()
                        ? aligned.normalize(text)
                        : text.withText(text.text().replace(literal, content));
    }

    private static void copy(
            AlignedText text, int start, int end, StringBuilder out, IntList units) {
        out.append(text.text(), start, end);
        for (int i = start; text.isAligned() && i < end; i++) {
            units.add(i);
        }
    }

    private static int[] places(AlignedText text, IntList units, boolean starts) {
        var places = new int[units.size()];
        for (int i = 0; i < places.length; i++) {
            places[i] = starts ? text.start(units.at(i)) : text.end(units.at(i));
        }
        return places;
    }

    /** What SentencePiece's nmt rules do before anything else. */
    static AlignedText nmt(AlignedText text) {
        var out = new Rewrite();
        AlignedText kept = text.filter(c -> !isNmtControl(c));
        kept.text().codePoints().forEach(c -> out.replace(isNmtSpace(c) ? ' ' : c));
        return out.of(kept);
    }

    private static boolean isNmtControl(int c) {
        return (c >= 1 && c <= 8)
                || c == 0xB
                || (c >= 0xE && c <= 0x1F)
                || c == 0x7F
                || c == 0x8F
                || c == 0x9F;
    }

    private static boolean isNmtSpace(int c) {
        return switch (c) {
            case '\t', '\n', '\f', '\r', 0x1680, 0x2028, 0x2029, 0x2581, 0xFEFF, 0xFFFD -> true;
            default -> c >= 0x200B && c <= 0x200F;
        };
    }

    /** Every byte as its letter. */
    static AlignedText byteLevel(AlignedText text) {
        if (!text.isAligned()) {
            return text.withText(ByteLetters.spell(text.text()));
        }
        var out = new Rewrite();
        text.text()
                .codePoints()
                .forEach(c -> {
                    String letters = ByteLetters.spell(Character.toString(c));
                    out.replace(letters.charAt(0));
                    letters.chars().skip(1).forEach(out::insert);
                });
        return out.of(text);
    }
}
