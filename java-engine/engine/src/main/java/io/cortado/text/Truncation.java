package io.cortado.text;

/**
 * How many tokens of a row the file lets be, and which go.
 *
 * @param maxLength the limit, with what the template adds
 * @param fromLeft whether the first tokens go, not the last
 */
record Truncation(int maxLength, Strategy strategy, boolean fromLeft) {
    /** Which of two texts is made shorter. */
    enum Strategy {
        LONGEST_FIRST,
        ONLY_FIRST,
        ONLY_SECOND
    }

    /**
     * Makes the texts of a row fit.
     *
     * @param added how many ids the template will add
     */
    void apply(LocatedTokens[] texts, int added) {
        int limit = maxLength - added;
        if (limit < 0) {
            throw new TokenizerFormatException(
                    "truncation.max_length leaves no room for the template: max_length="
                            + maxLength
                            + " added="
                            + added);
        }
        for (int i = 0; i < texts.length; i++) {
            if (strategy != Strategy.ONLY_SECOND || i > 0) {
                texts[i] = texts[i].limited(maxLength, fromLeft);
            }
        }
        int first = texts[0].size();
        int second = texts.length > 1 ? texts[1].size() : 0;
        if (limit > 0 && first + second <= limit) {
            return;
        }
        if (limit == 0) {
            first = 0;
            second = 0;
        } else if (strategy == Strategy.LONGEST_FIRST) {
            int shorter = Math.min(first, second);
            int longer = Math.max(shorter, limit - shorter);
            if (texts.length == 1) {
                longer = limit;
            } else if (shorter + longer > limit) {
                shorter = limit / 2;
                longer = shorter + limit % 2;
            }
            boolean firstIsLonger = texts.length == 1 || first > second;
            first = firstIsLonger ? longer : shorter;
            second = firstIsLonger ? shorter : longer;
        } else {
            boolean isFirst = strategy == Strategy.ONLY_FIRST;
            int left = limit - (isFirst ? second : first);
            if (left <= 0 || (!isFirst && texts.length == 1)) {
                throw new IllegalArgumentException(
                        "the text that truncation.strategy="
                                + strategy
                                + " makes shorter is too short or absent: tokens="
                                + (first + second)
                                + " limit="
                                + limit);
            }
            first = isFirst ? left : first;
            second = isFirst ? second : left;
        }
        texts[0] = cut(texts[0], first);
        if (texts.length > 1) {
            texts[1] = cut(texts[1], second);
        }
    }

    private LocatedTokens cut(LocatedTokens text, int length) {
        if (text.size() <= length) {
            return text;
        }
        return fromLeft ? text.part(text.size() - length, text.size()) : text.part(0, length);
    }
}
