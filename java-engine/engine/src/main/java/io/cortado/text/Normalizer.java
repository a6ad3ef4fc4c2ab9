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
                .forEach(c -> {
                    if (c == 0x130) {
                        out.append("i\u0307");
                    } else if (c >= 0x16EA0 && c <= 0x16EB8) {
                        // Beria Erfe, of Unicode 17: the reference is one version ahead of the JDK.
                        out.appendCodePoint(c + 0x1B);
                    } else {
                        out.appendCodePoint(Character.toLowerCase(c));
                    }
                });
        return out.toString();
    }
}
