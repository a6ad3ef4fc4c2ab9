package io.cortado.text;

import java.util.List;

/** What happens to a text between two added tokens before it is split. */
@FunctionalInterface
interface Normalizer {
    Normalizer NONE = text -> text;

    String normalize(String text);

    static Normalizer sequence(List<Normalizer> parts) {
        return text -> {
            String result = text;
            for (Normalizer part : parts) {
                result = part.normalize(result);
            }
            return result;
        };
    }

    /** Character by character, without the rules of words: a final sigma stays σ. */
    static String lowercase(String text) {
        var out = new StringBuilder(text.length());
        text.codePoints()
                .forEach(
                        c -> {
                            if (c == 0x130) {
                                out.append("i\u0307");
                            } else {
                                out.appendCodePoint(Character.toLowerCase(c));
                            }
                        });
        return out.toString();
    }
}
