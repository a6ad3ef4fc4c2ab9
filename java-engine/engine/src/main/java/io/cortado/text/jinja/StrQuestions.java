package io.cortado.text.jinja;

import java.text.Normalizer;
import java.util.List;
import java.util.function.IntPredicate;
import org.jspecify.annotations.Nullable;

/** The methods of str that look for something or say what a text is. */
final class StrQuestions {
    private StrQuestions() {}

    static @Nullable Callable find(Str s, String name) {
        Callable search = search(s.text(), name);
        return search != null ? search : kind(s.text(), name);
    }

    private static @Nullable Callable search(String text, String name) {
        return switch (name) {
            case "startswith", "endswith" -> args -> hasAffix(text, args, name);
            case "find" -> args -> index(text, args, name);
            case "rfind" -> args -> index(text, args, name);
            case "index", "rindex" ->
                    args -> {
                        long index = index(text, args, name);
                        if (index < 0) {
                            throw new TemplateException("substring not found");
                        }
                        return index;
                    };
            case "count" -> args -> count(text, args);
            default -> null;
        };
    }

    private static @Nullable Callable kind(String text, String name) {
        IntPredicate each =
                switch (name) {
                    case "isdecimal" -> Character::isDigit;
                    case "isdigit" -> StrQuestions::isDigit;
                    case "isnumeric" -> StrQuestions::isNumeric;
                    case "isalpha" -> Character::isLetter;
                    case "isalnum" -> c -> Character.isLetter(c) || isNumeric(c);
                    case "isspace" -> Strings::isSpace;
                    default -> null;
                };
        if (each != null) {
            return args -> none(args, name) && !text.isEmpty() && text.codePoints().allMatch(each);
        }
        return switch (name) {
            case "isascii" -> args -> none(args, name) && text.chars().allMatch(c -> c < 0x80);
            case "isprintable" ->
                    args -> none(args, name) && text.codePoints().allMatch(Repr::isPrintable);
            case "isidentifier" -> args -> none(args, name) && isIdentifier(text);
            case "isupper" -> args -> none(args, name) && isUpper(text);
            case "islower" -> args -> none(args, name) && isLower(text);
            case "istitle" -> args -> none(args, name) && isTitle(text);
            default -> null;
        };
    }

    private static boolean none(Arguments args, String name) {
        args.exactly(0, name);
        return true;
    }

    static boolean isUpper(String text) {
        return text.codePoints().anyMatch(Character::isUpperCase)
                && text.codePoints()
                        .noneMatch(c -> Character.isLowerCase(c) || Character.isTitleCase(c));
    }

    static boolean isLower(String text) {
        return text.codePoints().anyMatch(Character::isLowerCase)
                && text.codePoints()
                        .noneMatch(c -> Character.isUpperCase(c) || Character.isTitleCase(c));
    }

    /** Upper case only after what has no case, lower case only after what has. */
    private static boolean isTitle(String text) {
        boolean anyCased = false;
        boolean afterCased = false;
        for (int c : text.codePoints().toArray()) {
            boolean upper = Character.isUpperCase(c) || Character.isTitleCase(c);
            boolean lower = Character.isLowerCase(c);
            if (upper == afterCased && (upper || lower)) {
                return false;
            }
            afterCased = upper || lower;
            anyCased |= afterCased;
        }
        return anyCased;
    }

    private static boolean isIdentifier(String text) {
        return !text.isEmpty()
                && (text.charAt(0) == '_'
                        || Character.isUnicodeIdentifierStart(text.codePointAt(0)))
                && text.codePoints().allMatch(Character::isUnicodeIdentifierPart);
    }

    /** Digits, and those above or below a line or in a circle. */
    private static boolean isDigit(int c) {
        if (Character.isDigit(c)) {
            return true;
        }
        if (Character.getType(c) != Character.OTHER_NUMBER) {
            return false;
        }
        String plain = Normalizer.normalize(Character.toString(c), Normalizer.Form.NFKC);
        return plain.codePoints().filter(Character::isDigit).count() == 1
                && plain.codePoints().noneMatch(Character::isLetter)
                && plain.indexOf('\u2044') < 0;
    }

    private static boolean isNumeric(int c) {
        return switch (Character.getType(c)) {
            case Character.DECIMAL_DIGIT_NUMBER, Character.LETTER_NUMBER, Character.OTHER_NUMBER ->
                    true;
            default ->
                    "\u96F6\u4E00\u4E8C\u4E09\u56DB\u4E94\u516D\u4E03\u516B\u4E5D\u5341\u767E\u5343\u4E07\u5104"
                                    .indexOf(c)
                            >= 0;
        };
    }

    /** The UTF-16 range that the arguments after the first ask for; empty if it is outside. */
    private record Span(int start, int end) {
        static @Nullable Span of(String text, Arguments args) {
            int length = text.codePointCount(0, text.length());
            long from = bound(args, 1, "start", 0, length);
            long to = Math.min(length, bound(args, 2, "end", length, length));
            if (from > length || from > to) {
                return null;
            }
            int start = text.offsetByCodePoints(0, (int) from);
            return new Span(start, text.offsetByCodePoints(start, (int) (to - from)));
        }

        private static long bound(Arguments args, int at, String name, long fallback, int length) {
            if (args.optional(at, name, None.NONE) == None.NONE) {
                return fallback;
            }
            long index = args.whole(at, name, fallback);
            return index < 0 ? Math.max(0, index + length) : index;
        }
    }

    private static long index(String text, Arguments args, String name) {
        args.noneNamed(name);
        args.atMost(3, name);
        String sub = args.text(0, "sub").text();
        Span span = Span.of(text, args);
        if (span == null) {
            return -1;
        }
        int found =
                name.startsWith("r")
                        ? TextSearch.last(text, sub, span.end() - sub.length())
                        : TextSearch.first(text, sub, span.start());
        boolean isInside = found >= span.start() && found + sub.length() <= span.end();
        return isInside ? text.codePointCount(0, found) : -1;
    }

    private static long count(String text, Arguments args) {
        args.noneNamed("count");
        args.atMost(3, "count");
        String sub = args.text(0, "sub").text();
        Span span = Span.of(text, args);
        if (span == null) {
            return 0;
        }
        if (sub.isEmpty()) {
            return text.codePointCount(span.start(), span.end()) + 1L;
        }
        long count = 0;
        for (int i = TextSearch.first(text, sub, span.start());
                i >= 0 && i + sub.length() <= span.end();
                i = TextSearch.first(text, sub, i + sub.length())) {
            count++;
        }
        return count;
    }

    private static boolean hasAffix(String text, Arguments args, String name) {
        args.noneNamed(name);
        args.atMost(3, name);
        Object affix = args.required(0, "prefix");
        Span span = Span.of(text, args);
        boolean found = false;
        for (Object one : affix instanceof Tuple tuple ? tuple.items() : List.of(affix)) {
            String part = Operators.text(one, "prefix").text();
            found |=
                    span != null
                            && part.length() <= span.end() - span.start()
                            && text.startsWith(
                                    part,
                                    name.startsWith("s")
                                            ? span.start()
                                            : span.end() - part.length());
        }
        return found;
    }
}
