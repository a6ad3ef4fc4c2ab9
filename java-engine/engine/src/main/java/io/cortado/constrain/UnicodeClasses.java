package io.cortado.constrain;

import java.util.Arrays;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Predicate;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;

/** The properties of {@code \p{...}}, as the JDK knows them. */
final class UnicodeClasses {
    private static final int MAX_NAME = 40;

    /** Only names that the JDK knows get in, which bounds it. */
    private static final Map<String, CodePoints> KNOWN = new ConcurrentHashMap<>();

    private UnicodeClasses() {}

    /** After {@code \p}: one letter, or a name in braces. */
    static CodePoints read(PatternText text) {
        var name = new StringBuilder();
        if (text.take('{')) {
            while (!text.take('}')) {
                int c = text.next();
                boolean isName = c < 0x80 && Character.isLetterOrDigit(c) || c == '_' || c == '=';
                if (!isName || name.length() >= MAX_NAME) {
                    throw text.syntax("a property must be a name");
                }
                name.append((char) c);
            }
        } else {
            name.appendCodePoint(text.next());
        }
        try {
            return KNOWN.computeIfAbsent(name.toString(), UnicodeClasses::scan);
        } catch (PatternSyntaxException e) {
            throw text.unsupported("the property \\p{" + name + "}");
        }
    }

    private static CodePoints scan(String name) {
        String inner = name.length() == 1 ? name : "{" + jdkName(name) + "}";
        Predicate<String> has = Pattern.compile("\\p" + inner).asMatchPredicate();
        var pairs = new int[64];
        int used = 0;
        boolean isInside = false;
        for (int c = 0; c <= Character.MAX_CODE_POINT + 1; c++) {
            boolean isMember =
                    c <= Character.MAX_CODE_POINT
                            && Character.getType(c) != Character.SURROGATE
                            && has.test(Character.toString(c));
            if (isMember != isInside) {
                pairs = used == pairs.length ? Arrays.copyOf(pairs, 2 * used) : pairs;
                pairs[used++] = isMember ? c : c - 1;
                isInside = isMember;
            }
        }
        return CodePoints.ofRanges(Arrays.copyOf(pairs, used));
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
