package io.cortado.text;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What the file's templates put around a single text and around a pair of texts.
 *
 * @param trims for each time that white space is taken out of the places of tokens, whether the
 *     first space of a text was added
 */
record PostProcessor(List<Part> single, List<Part> pair, List<Boolean> trims) {
    private static final Part FIRST = new Text(0, 0);

    static final PostProcessor NONE =
            new PostProcessor(List.of(FIRST), List.of(FIRST, new Text(1, 1)), List.of());

    /** A bos before and an eos after each text, where there is one. */
    static PostProcessor around(@Nullable Integer bos, @Nullable Integer eos) {
        var single = new ArrayList<Part>();
        var pair = new ArrayList<Part>();
        for (int text = 0; text < 2; text++) {
            for (List<Part> row : text == 0 ? List.of(single, pair) : List.of(pair)) {
                if (bos != null) {
                    row.add(new Ids(new int[] {bos}, text));
                }
                row.add(new Text(text, text));
                if (eos != null) {
                    row.add(new Ids(new int[] {eos}, text));
                }
            }
        }
        return new PostProcessor(List.copyOf(single), List.copyOf(pair), List.of());
    }

    /** RoBERTa's: {@code <s> A </s>} and {@code <s> A </s> </s> B </s>}, all of one type. */
    static PostProcessor roberta(int cls, int sep, List<Boolean> trims) {
        var start = new Ids(new int[] {cls}, 0);
        var end = new Ids(new int[] {sep}, 0);
        return new PostProcessor(
                List.of(start, FIRST, end),
                List.of(start, FIRST, end, end, new Text(1, 0), end),
                trims);
    }

    /** BERT's: {@code [CLS] A [SEP]} and {@code [CLS] A [SEP] B [SEP]}, the second of type 1. */
    static PostProcessor bert(int cls, int sep) {
        var start = new Ids(new int[] {cls}, 0);
        var end = new Ids(new int[] {sep}, 0);
        return new PostProcessor(
                List.of(start, FIRST, end),
                List.of(start, FIRST, end, new Text(1, 1), new Ids(new int[] {sep}, 1)),
                List.of());
    }

    PostProcessor withTrims(List<Boolean> newTrims) {
        return new PostProcessor(single, pair, List.copyOf(newTrims));
    }

    boolean hasPartsOf(PostProcessor other) {
        return single.equals(other.single) && pair.equals(other.pair);
    }

    /** The parts for so many texts. */
    List<Part> parts(int texts) {
        return texts == 1 ? single : pair;
    }

    /** How many ids are added to so many texts. */
    int added(int texts) {
        int added = 0;
        for (Part part : parts(texts)) {
            added +=
                    switch (part) {
                        case Ids special -> special.ids().length;
                        case Text _ -> 0;
                    };
        }
        return added;
    }

    /** The row of the texts' tokens and, if they are asked for, the template's. */
    Encoding join(LocatedTokens[] texts, boolean addSpecialTokens) {
        var ids = new IntList();
        var typeIds = new IntList();
        var offsets = new IntList();
        for (Part part : parts(texts.length)) {
            switch (part) {
                case Text place -> {
                    LocatedTokens text = texts[place.index()];
                    for (int i = 0; i < text.size(); i++) {
                        ids.add(text.id(i));
                        offsets.add(text.start(i));
                        offsets.add(text.end(i));
                    }
                }
                case Ids special -> {
                    if (addSpecialTokens) {
                        ids.addAll(special.ids());
                        offsets.addAll(new int[2 * special.ids().length]);
                    }
                }
            }
            while (typeIds.size() < ids.size()) {
                typeIds.add(part.typeId());
            }
        }
        var mask = new int[ids.size()];
        Arrays.fill(mask, 1);
        return new Encoding(ids.toArray(), typeIds.toArray(), mask, offsets.toArray());
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
