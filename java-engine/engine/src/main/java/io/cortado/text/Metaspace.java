package io.cortado.text;

/**
 * SentencePiece's way with spaces: each becomes a visible character, and one more stands in front
 * of a text that does not begin with one.
 *
 * @param splits whether a word begins at each of these characters
 */
record Metaspace(String replacement, Scheme scheme, boolean splits) implements PreTokenizer {
    /** In front of which texts the character is put. */
    enum Scheme {
        /** The one at the very start of the original. */
        FIRST,
        NEVER,
        ALWAYS
    }

    @Override
    public void split(AlignedText text, int start, int end, Sink out) {
        AlignedText replaced = replaceSpaces(text.slice(start, end));
        String spelled = replaced.text();
        if (!spelled.startsWith(replacement) && isPrefixed(replaced)) {
            replaced = replaced.prepend(replacement);
            spelled = replaced.text();
        }
        int from = 0;
        while (splits && from < spelled.length()) {
            int next = spelled.indexOf(replacement, from + 1);
            if (next < 0) {
                break;
            }
            out.word(replaced, from, next);
            from = next;
        }
        out.word(replaced, from, spelled.length());
    }

    private boolean isPrefixed(AlignedText text) {
        return switch (scheme) {
            case ALWAYS -> true;
            case NEVER -> false;
            case FIRST -> text.startsOriginal(0);
        };
    }

    private AlignedText replaceSpaces(AlignedText text) {
        if (replacement.length() == 1 || !text.isAligned()) {
            return text.withText(text.text().replace(" ", replacement));
        }
        var out = new Rewrite();
        text.text()
                .codePoints()
                .forEach(c -> out.replace(c == ' ' ? replacement.codePointAt(0) : c));
        return out.of(text);
    }
}
