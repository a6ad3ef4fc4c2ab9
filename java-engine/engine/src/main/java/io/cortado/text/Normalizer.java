package io.cortado.text;

import java.util.List;

/** What happens to a text between two added tokens before it is split. */
@FunctionalInterface
interface Normalizer {
    Normalizer NONE = text -> text;

    AlignedText normalize(AlignedText text);

    /** The text alone. */
    default String normalize(String text) {
        return normalize(AlignedText.plain(text, true)).text();
    }

    static Normalizer sequence(List<Normalizer> parts) {
        return text -> {
            AlignedText result = text;
            for (Normalizer part : parts) {
                result = part.normalize(result);
            }
            return result;
        };
    }
}
