package io.cortado.text;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** What the file's templates put around a single text and around a pair of texts. */
record PostProcessor(List<Part> single, List<Part> pair) {
    private static final Part FIRST = new Text(0, 0);

    static final PostProcessor NONE =
            new PostProcessor(List.of(FIRST), List.of(FIRST, new Text(1, 1)));

    /** A bos before and an eos after each text, where there is one. */
    static PostProcessor around(@Nullable Integer bos, @Nullable Integer eos) {
        var single = new ArrayList<Part>();
        var pair = new ArrayList<Part>();
        for (int text = 0; text < 2; text++) {
            for (List<Part> row : text == 0 ? List.of(single, pair) : List.of(pair)) {
                if (bos != null) {
                    row.add(new Ids(new int[] {bos}, 0));
                }
                row.add(new Text(text, text));
                if (eos != null) {
                    row.add(new Ids(new int[] {eos}, 0));
                }
            }
        }
        return new PostProcessor(List.copyOf(single), List.copyOf(pair));
    }

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
