package io.cortado.constrain.schema;

import io.cortado.constrain.Alphabet;
import io.cortado.constrain.CodePoints;
import io.cortado.constrain.Regex;
import io.cortado.constrain.Regexes;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;

/** How strings are written: the languages of their bodies, without the quotes. */
final class JsonText {
    private static final String SHORT = "\"\\\b\f\n\r\t";
    private static final String LETTERS = "\"\\bfnrt";

    private final Regexes regexes;
    private final Alphabet alphabet;
    private final Regex text;

    JsonText(Regexes regexes) {
        this.regexes = regexes;
        alphabet = Alphabet.shortJsonString(regexes);
        text = alphabet.text();
    }

    /** Any string. */
    Regex text() {
        return text;
    }

    /** Strings of so many characters. */
    Regex ofLength(int min, int max) {
        return regexes.repeat(alphabet.letter(CodePoints.ANY), min, max);
    }

    Regex except(Regex body) {
        return regexes.and(text, regexes.not(body));
    }

    Regex search(String pattern) {
        return regexes.search(pattern, alphabet);
    }

    /** One of these strings, however it is written. */
    Regex oneOf(Collection<String> strings) {
        if (strings.stream().allMatch(JsonText::hasOneForm)) {
            return regexes.choice(strings.stream().map(JsonText::written).toList());
        }
        return regexes.or(strings.stream().map(this::literal).toList());
    }

    Regex literal(String string) {
        if (hasOneForm(string)) {
            return regexes.literal(written(string));
        }
        List<Regex> parts = new ArrayList<>();
        string.codePoints().forEach(c -> parts.add(alphabet.letter(CodePoints.of(c))));
        return regexes.concat(parts);
    }

    /** Whether UTF-8 can spell it. */
    static boolean isText(String string) {
        return string.codePoints().noneMatch(c -> c >= 0xD800 && c <= 0xDFFF);
    }

    private static boolean hasOneForm(String string) {
        for (int i = 0; i < string.length(); i++) {
            char c = string.charAt(i);
            if (c > 0x7F || c < ' ' && SHORT.indexOf(c) < 0) {
                return false;
            }
        }
        return true;
    }

    /** The body of a string with as few escapes as there can be. */
    static byte[] written(String string) {
        var body = new StringBuilder(string.length());
        for (int i = 0; i < string.length(); i++) {
            char c = string.charAt(i);
            int escape = SHORT.indexOf(c);
            if (escape >= 0) {
                body.append('\\').append(LETTERS.charAt(escape));
            } else if (c < ' ') {
                body.append("\\u00").append(c < 0x10 ? "0" : "").append(Integer.toHexString(c));
            } else {
                body.append(c);
            }
        }
        return body.toString().getBytes(StandardCharsets.UTF_8);
    }
}
