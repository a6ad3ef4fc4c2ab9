package io.cortado.text;

import java.util.List;

/** What the file's templates put around a single text and around a pair of texts. */
record PostProcessor(List<Part> single, List<Part> pair) {
    private static final Part FIRST = new Text(0, 0);

    static final PostProcessor NONE =
            new PostProcessor(List.of(FIRST), List.of(FIRST, new Text(1, 1)));

    /** RoBERTa's: {@code <s> A </s>} and {@code <s> A </s> </s> B </s>}, all of one type. */
    static PostProcessor roberta(int cls, int sep) {
        var start = new Ids(new int[] {cls}, 0);
        var end = new Ids(new int[] {sep}, 0);
        return new PostProcessor(
                List.of(start, FIRST, end), List.of(start, FIRST, end, end, new Text(1, 0), end));
    }

    /** A stretch of the row. */
    sealed interface Part {
        int typeId();
    }

    /** The place of a text: 0 the first, 1 the second. */
    record Text(int index, int typeId) implements Part {}

    /** Ids that stand only where special tokens are asked for. */
    record Ids(int[] ids, int typeId) implements Part {}
}
