package io.cortado.text.jinja;

import java.util.ArrayList;
import java.util.List;

/**
 * The filter {@code wordwrap}: Python's textwrap on each line, without expanding tabs.
 *
 * <p>A chunk is a word, a part of a word up to a hyphen between letters, or white space; white
 * space at a break is dropped.
 */
final class WordWrap {
    private final long width;
    private final boolean breaksLongWords;
    private final boolean breaksOnHyphens;
    private final Budget budget;

    private WordWrap(long width, boolean longWords, boolean hyphens, Budget budget) {
        this.width = width;
        this.breaksLongWords = longWords;
        this.breaksOnHyphens = hyphens;
        this.budget = budget;
    }

    static Str wrap(Str s, Arguments args, Budget budget) {
        args.known("wordwrap", "width", "break_long_words", "wrapstring", "break_on_hyphens");
        long width = args.whole(0, "width", 79);
        if (width <= 0) {
            throw new TemplateException("wordwrap needs width > 0: width=" + width);
        }
        Object given = args.optional(2, "wrapstring", None.NONE);
        Str separator =
                given == None.NONE ? Str.literal("\n") : Operators.text(given, "wrapstring");
        var wrap =
                new WordWrap(
                        width,
                        args.truth(1, "break_long_words", true),
                        args.truth(3, "break_on_hyphens", true),
                        budget);
        var lines = new ArrayList<Object>();
        for (Object line : StrSplit.lines(s, false, budget)) {
            lines.add(StrChange.join(separator, wrap.paragraph((Str) line), budget));
        }
        return StrChange.join(separator, lines, budget);
    }

    private List<Object> paragraph(Str text) {
        List<Str> chunks = chunks(text);
        var lines = new ArrayList<Object>();
        int next = 0;
        while (next < chunks.size()) {
            if (!lines.isEmpty() && isSpace(chunks.get(next))) {
                next++;
                continue;
            }
            var line = new ArrayList<Str>();
            long length = 0;
            while (next < chunks.size() && length + chunks.get(next).length() <= width) {
                budget.step();
                length += chunks.get(next).length();
                line.add(chunks.get(next++));
            }
            if (next < chunks.size() && chunks.get(next).length() > width) {
                next = takeLong(chunks, next, line, width - length);
            }
            if (!line.isEmpty() && isSpace(line.getLast())) {
                line.removeLast();
            }
            if (!line.isEmpty()) {
                budget.step();
                var out = new Str.Builder();
                line.forEach(out::append);
                lines.add(out.build());
            }
        }
        return lines;
    }

    /** A chunk longer than a line is cut, or stands on a line of its own. */
    private int takeLong(List<Str> chunks, int next, List<Str> line, long left) {
        if (!breaksLongWords) {
            if (line.isEmpty()) {
                line.add(chunks.get(next));
                return next + 1;
            }
            return next;
        }
        Str chunk = chunks.get(next);
        budget.scan(chunk.text().length());
        int cut = chunk.text().offsetByCodePoints(0, (int) left);
        int hyphen = breaksOnHyphens ? chunk.text().lastIndexOf('-', cut - 1) : -1;
        boolean atHyphen =
                chunk.length() > left
                        && hyphen > 0
                        && chunk.text().chars().limit(hyphen).anyMatch(c -> c != '-');
        int end = atHyphen ? hyphen + 1 : cut;
        line.add(chunk.part(0, end));
        chunks.set(next, chunk.part(end, chunk.text().length()));
        return next;
    }

    private List<Str> chunks(Str s) {
        String text = s.text();
        var chunks = new ArrayList<Str>();
        int start = 0;
        for (int i = 1; i <= text.length(); i++) {
            if (i == text.length() || isBorder(text, i)) {
                budget.items(1);
                budget.step();
                chunks.add(s.part(start, i));
                start = i;
            }
        }
        return chunks;
    }

    private boolean isBorder(String text, int i) {
        boolean before = isSpace(text.charAt(i - 1));
        boolean after = isSpace(text.charAt(i));
        if (before != after) {
            return true;
        }
        return !before && breaksOnHyphens && (isAfterHyphen(text, i) || isDash(text, i));
    }

    /** After the hyphen of a compound: two letters before it and one behind. */
    private static boolean isAfterHyphen(String text, int i) {
        return i >= 3
                && text.charAt(i - 1) == '-'
                && Character.isLetter(text.charAt(i - 2))
                && (Character.isLetter(text.charAt(i - 3))
                        || (text.charAt(i - 3) == '-'
                                && i >= 4
                                && Character.isLetter(text.charAt(i - 4))))
                && Character.isLetter(text.charAt(i))
                && i + 1 < text.length()
                && (Character.isLetter(text.charAt(i + 1)) || text.charAt(i + 1) == '-');
    }

    /** Around two hyphens or more between letters. */
    private static boolean isDash(String text, int i) {
        char before = text.charAt(i - 1);
        char after = text.charAt(i);
        boolean opens = before != '-' && after == '-' && text.startsWith("--", i) && isWord(before);
        boolean closes =
                i >= 2
                        && before == '-'
                        && text.charAt(i - 2) == '-'
                        && after != '-'
                        && isWord(after);
        return opens || closes;
    }

    private static boolean isWord(char c) {
        return Character.isLetterOrDigit(c) || "_!\"'&.,?".indexOf(c) >= 0;
    }

    private static boolean isSpace(char c) {
        return c == ' ' || (c >= '\t' && c <= '\r');
    }

    private static boolean isSpace(Str chunk) {
        return chunk.text().chars().allMatch(c -> isSpace((char) c));
    }
}
