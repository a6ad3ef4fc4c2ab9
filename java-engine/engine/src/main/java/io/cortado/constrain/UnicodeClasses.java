package io.cortado.constrain;

import java.util.Arrays;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;

/** The properties of {@code \p{...}}, as the JDK knows them. */
final class UnicodeClasses {
    private static final int MAX_NAME = 40;

    /** A general category: there are few, by names of one spelling. */
    private static final int CATEGORY_NAME = 2;

    /** Names have many spellings, so what is kept needs a bound; the rest is looked up again. */
    private static final int MAX_KNOWN = 256;

    /** What looking at each character costs, in derivatives. */
    private static final int SCAN_FUEL = 20_000;

    private static final int FIRST_SURROGATE = Character.MIN_SURROGATE;
    private static final int NUM_SURROGATES = Character.MAX_SURROGATE - FIRST_SURROGATE + 1;
    private static final int NUM_SINGLE = 0x10000 - NUM_SURROGATES;
    private static final Map<String, CodePoints> KNOWN = new ConcurrentHashMap<>();

    private UnicodeClasses() {}

    /** After {@code \p}: one letter, or a name in braces. */
    static CodePoints read(PatternText text, Fuel fuel) {
        String name = text.take('{') ? braced(text) : Character.toString(text.next());
        boolean isName = !name.isEmpty() && name.chars().allMatch(UnicodeClasses::isOfName);
        if (!isName) {
            throw text.syntax("a property must be a name");
        }
        if (name.length() > CATEGORY_NAME) {
            fuel.burn(SCAN_FUEL);
        }
        CodePoints known = KNOWN.get(name);
        if (known != null) {
            return known;
        }
        try {
            CodePoints scanned = scan(name);
            if (KNOWN.size() < MAX_KNOWN) {
                KNOWN.put(name, scanned);
            }
            return scanned;
        } catch (PatternSyntaxException e) {
            throw text.unsupported("the property \\p{" + name + "}");
        }
    }

    private static String braced(PatternText text) {
        var name = new StringBuilder();
        while (!text.take('}')) {
            if (name.length() >= MAX_NAME) {
                throw text.syntax("a property must be a name");
            }
            name.appendCodePoint(text.next());
        }
        return name.toString();
    }

    private static boolean isOfName(int c) {
        return c < 0x80 && Character.isLetterOrDigit(c) || c == '_' || c == '=';
    }

    /** Looks at all characters as one text, in their order without the surrogates. */
    private static CodePoints scan(String name) {
        String inner = name.length() == 1 ? name : "{" + jdkName(name) + "}";
        Pattern pattern = Pattern.compile("\\p" + inner + "+");
        var all = new StringBuilder(NUM_SINGLE + 2 * (Character.MAX_CODE_POINT - 0xFFFF));
        for (int c = 0; c <= Character.MAX_CODE_POINT; c++) {
            if (!isSurrogate(c)) {
                all.appendCodePoint(c);
            }
        }
        Matcher runs = pattern.matcher(all);
        var pairs = new int[64];
        int used = 0;
        while (runs.find()) {
            int first = codePoint(runs.start());
            int last = codePoint(runs.end() - 1);
            pairs = used + 4 > pairs.length ? Arrays.copyOf(pairs, 2 * used) : pairs;
            if (first < FIRST_SURROGATE && last > Character.MAX_SURROGATE) {
                pairs[used++] = first;
                pairs[used++] = FIRST_SURROGATE - 1;
                first = Character.MAX_SURROGATE + 1;
            }
            pairs[used++] = first;
            pairs[used++] = last;
        }
        return CodePoints.ofRanges(Arrays.copyOf(pairs, used));
    }

    private static boolean isSurrogate(int c) {
        return c >= FIRST_SURROGATE && c <= Character.MAX_SURROGATE;
    }

    /** The character at a place of the text of all. */
    private static int codePoint(int place) {
        if (place >= NUM_SINGLE) {
            return 0x10000 + (place - NUM_SINGLE) / 2;
        }
        return place < FIRST_SURROGATE ? place : place + NUM_SURROGATES;
    }

    /** ECMA's and Rust's spellings where the JDK's differ. */
    private static String jdkName(String name) {
        return switch (name) {
            case "Letter" -> "L";
            case "Uppercase_Letter" -> "Lu";
            case "Lowercase_Letter" -> "Ll";
            case "Number" -> "N";
            case "Decimal_Number" -> "Nd";
            case "Punctuation" -> "P";
            case "Symbol" -> "S";
            case "Separator" -> "Z";
            case "Alphabetic", "Lowercase", "Uppercase", "White_Space", "Emoji" -> "Is" + name;
            default ->
                    name.startsWith("Script=") ? "Is" + name.substring("Script=".length()) : name;
        };
    }
}
