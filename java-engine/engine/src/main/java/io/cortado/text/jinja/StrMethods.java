package io.cortado.text.jinja;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.IntPredicate;
import org.jspecify.annotations.Nullable;

/** The methods of Python's str. Parts of a text keep the origin of their characters. */
final class StrMethods {
    private StrMethods() {}

    static @Nullable Callable find(Str s, String name, Budget budget) {
        Callable method = parts(s, name, budget);
        if (method == null) {
            method = changes(s, name, budget);
        }
        return method == null ? questions(s, name) : method;
    }

    private static @Nullable Callable parts(Str s, String name, Budget budget) {
        return switch (name) {
            case "strip" -> args -> strip(s, args, true, true);
            case "lstrip" -> args -> strip(s, args, true, false);
            case "rstrip" -> args -> strip(s, args, false, true);
            case "split" -> args -> split(s, args, budget);
            case "rsplit" -> args -> rsplit(s, args, budget);
            case "splitlines" -> args -> splitLines(s, args.truth(0, "keepends", false));
            case "partition" ->
                    args ->
                            partition(
                                    s,
                                    args.text(0, "sep"),
                                    s.text().indexOf(args.text(0, "sep").text()),
                                    true);
            case "rpartition" ->
                    args ->
                            partition(
                                    s,
                                    args.text(0, "sep"),
                                    s.text().lastIndexOf(args.text(0, "sep").text()),
                                    false);
            case "removeprefix" ->
                    args -> {
                        String prefix = args.text(0, "prefix").text();
                        return s.text().startsWith(prefix)
                                ? s.part(prefix.length(), s.text().length())
                                : s;
                    };
            case "removesuffix" ->
                    args -> {
                        String suffix = args.text(0, "suffix").text();
                        return s.text().endsWith(suffix)
                                ? s.part(0, s.text().length() - suffix.length())
                                : s;
                    };
            default -> null;
        };
    }

    private static @Nullable Callable changes(Str s, String name, Budget budget) {
        return switch (name) {
            case "upper" -> _ -> s.derive(s.text().toUpperCase(Locale.ROOT));
            case "lower", "casefold" -> _ -> s.derive(s.text().toLowerCase(Locale.ROOT));
            case "title" -> _ -> title(s, c -> !Character.isLetter(c));
            case "capitalize" -> _ -> capitalize(s);
            case "swapcase" ->
                    _ -> {
                        var out = new StringBuilder();
                        s.text()
                                .codePoints()
                                .forEach(c ->
                                        out.appendCodePoint(
                                                Character.isUpperCase(c)
                                                        ? Character.toLowerCase(c)
                                                        : Character.toUpperCase(c)));
                        return s.derive(out.toString());
                    };
            case "replace" ->
                    args -> {
                        args.noneNamed("replace");
                        return replace(
                                s,
                                args.text(0, "old"),
                                args.text(1, "new"),
                                args.whole(2, "count", -1),
                                budget);
                    };
            case "join" -> args -> join(s, Operators.items(args.required(0, "iterable")), budget);
            case "format" -> args -> BraceFormat.format(s, args, budget);
            case "center", "ljust", "rjust" -> args -> pad(s, name, args, budget);
            case "zfill" ->
                    args -> {
                        long missing = args.whole(0, "width", 0) - s.length();
                        budget.text(Math.max(0, missing));
                        int sign = s.text().startsWith("-") || s.text().startsWith("+") ? 1 : 0;
                        return missing <= 0
                                ? s
                                : s.part(0, sign)
                                        .plus(Str.literal("0".repeat((int) missing)))
                                        .plus(s.part(sign, s.text().length()));
                    };
            default -> null;
        };
    }

    private static @Nullable Callable questions(Str s, String name) {
        String text = s.text();
        return switch (name) {
            case "startswith" -> args -> anyAffix(args, text::startsWith);
            case "endswith" -> args -> anyAffix(args, text::endsWith);
            case "find" ->
                    args -> index(text, text.indexOf(args.text(0, "sub").text(), from(text, args)));
            case "rfind" -> args -> index(text, text.lastIndexOf(args.text(0, "sub").text()));
            case "index" ->
                    args -> {
                        long index =
                                index(
                                        text,
                                        text.indexOf(args.text(0, "sub").text(), from(text, args)));
                        if (index < 0) {
                            throw new TemplateException("substring not found");
                        }
                        return index;
                    };
            case "count" -> args -> count(text, args.text(0, "sub").text());
            case "isdigit", "isdecimal", "isnumeric" -> _ -> all(text, Character::isDigit);
            case "isalpha" -> _ -> all(text, Character::isLetter);
            case "isalnum" -> _ -> all(text, Character::isLetterOrDigit);
            case "isspace" -> _ -> all(text, Strings::isSpace);
            case "isascii" -> _ -> text.chars().allMatch(c -> c < 0x80);
            case "isupper" -> _ -> isUpper(text);
            case "islower" -> _ -> isLower(text);
            default -> null;
        };
    }

    static boolean isUpper(String text) {
        return text.codePoints().anyMatch(Character::isUpperCase)
                && text.codePoints().noneMatch(Character::isLowerCase);
    }

    static boolean isLower(String text) {
        return text.codePoints().anyMatch(Character::isLowerCase)
                && text.codePoints().noneMatch(Character::isUpperCase);
    }

    private static boolean all(String text, IntPredicate predicate) {
        return !text.isEmpty() && text.codePoints().allMatch(predicate);
    }

    private static int from(String text, Arguments args) {
        long start = args.whole(1, "start", 0);
        int length = text.codePointCount(0, text.length());
        return text.offsetByCodePoints(
                0, Math.clamp(start < 0 ? start + length : start, 0, length));
    }

    private static long index(String text, int utf16) {
        return utf16 < 0 ? -1 : text.codePointCount(0, utf16);
    }

    private static long count(String text, String sub) {
        if (sub.isEmpty()) {
            return text.codePointCount(0, text.length()) + 1L;
        }
        long count = 0;
        for (int i = text.indexOf(sub); i >= 0; i = text.indexOf(sub, i + sub.length())) {
            count++;
        }
        return count;
    }

    private static Object anyAffix(Arguments args, java.util.function.Predicate<String> matches) {
        Object affix = args.required(0, "prefix");
        List<Object> affixes = affix instanceof Tuple tuple ? tuple.items() : List.of(affix);
        for (Object one : affixes) {
            if (matches.test(Operators.text(one, "prefix").text())) {
                return true;
            }
        }
        return false;
    }

    static Str strip(Str s, Arguments args, boolean left, boolean right) {
        Object chars = args.optional(0, "chars", None.NONE);
        String set = chars == None.NONE ? "" : Operators.text(chars, "chars").text();
        IntPredicate drop = chars == None.NONE ? Strings::isSpace : c -> set.indexOf(c) >= 0;
        int start = 0;
        int end = s.text().length();
        while (left && start < end && drop.test(s.text().codePointAt(start))) {
            start += Character.charCount(s.text().codePointAt(start));
        }
        while (right && end > start && drop.test(s.text().codePointBefore(end))) {
            end -= Character.charCount(s.text().codePointBefore(end));
        }
        return s.part(start, end);
    }

    private static Object split(Str s, Arguments args, Budget budget) {
        long most = args.whole(1, "maxsplit", -1);
        Object separator = args.optional(0, "sep", None.NONE);
        var parts = new ArrayList<Object>();
        budget.text(s.text().length());
        if (separator == None.NONE) {
            splitSpaces(s, most, parts);
            return parts;
        }
        String sep = nonEmpty(separator);
        int from = 0;
        for (int i = s.text().indexOf(sep);
                i >= 0 && (most < 0 || parts.size() < most);
                i = s.text().indexOf(sep, from)) {
            budget.step();
            parts.add(s.part(from, i));
            from = i + sep.length();
        }
        parts.add(s.part(from, s.text().length()));
        return parts;
    }

    private static void splitSpaces(Str s, long most, List<Object> parts) {
        String text = s.text();
        int i = 0;
        while (true) {
            while (i < text.length() && Strings.isSpace(text.charAt(i))) {
                i++;
            }
            if (i == text.length()) {
                return;
            }
            if (most >= 0 && parts.size() >= most) {
                parts.add(s.part(i, text.length()));
                return;
            }
            int start = i;
            while (i < text.length() && !Strings.isSpace(text.charAt(i))) {
                i++;
            }
            parts.add(s.part(start, i));
        }
    }

    private static Object rsplit(Str s, Arguments args, Budget budget) {
        long most = args.whole(1, "maxsplit", -1);
        if (most < 0) {
            return split(s, args, budget);
        }
        Object separator = args.optional(0, "sep", None.NONE);
        if (separator == None.NONE) {
            throw new TemplateException("rsplit with maxsplit needs a separator");
        }
        String sep = nonEmpty(separator);
        var parts = new ArrayList<Object>();
        int end = s.text().length();
        for (int i = s.text().lastIndexOf(sep);
                i >= 0 && parts.size() < most;
                i = end < sep.length() ? -1 : s.text().lastIndexOf(sep, end - sep.length())) {
            budget.step();
            parts.addFirst(s.part(i + sep.length(), end));
            end = i;
        }
        parts.addFirst(s.part(0, end));
        return parts;
    }

    private static String nonEmpty(Object separator) {
        String sep = Operators.text(separator, "separator").text();
        if (sep.isEmpty()) {
            throw new TemplateException("empty separator");
        }
        return sep;
    }

    private static Object splitLines(Str s, boolean keepEnds) {
        var lines = new ArrayList<Object>();
        String text = s.text();
        int start = 0;
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c == '\n'
                    || c == '\r'
                    || c == 0x0B
                    || c == 0x0C
                    || (c >= 0x1C && c <= 0x1E)
                    || c == 0x85
                    || c == 0x2028
                    || c == 0x2029) {
                int end = i;
                if (c == '\r' && i + 1 < text.length() && text.charAt(i + 1) == '\n') {
                    i++;
                }
                lines.add(s.part(start, keepEnds ? i + 1 : end));
                start = i + 1;
            }
        }
        if (start < text.length()) {
            lines.add(s.part(start, text.length()));
        }
        return lines;
    }

    private static Object partition(Str s, Str sep, int at, boolean first) {
        if (at < 0) {
            return new Tuple(
                    first ? List.of(s, Str.EMPTY, Str.EMPTY) : List.of(Str.EMPTY, Str.EMPTY, s));
        }
        return new Tuple(
                List.of(s.part(0, at), sep, s.part(at + sep.text().length(), s.text().length())));
    }

    static Str join(Str separator, List<Object> items, Budget budget) {
        var out = new Str.Builder();
        for (int i = 0; i < items.size(); i++) {
            if (i > 0) {
                out.append(separator);
            }
            out.append(Operators.text(items.get(i), "item " + i + " of join"));
            budget.step();
            budget.bound(out.length());
        }
        return out.build();
    }

    /**
     * In a template's own text a replacement keeps its origin; in a client's text everything is the
     * client's.
     */
    static Str replace(Str s, Str old, Str with, long count, Budget budget) {
        if (count == 0) {
            return s;
        }
        var out = new Str.Builder();
        String text = s.text();
        int from = 0;
        long left = count < 0 ? Long.MAX_VALUE : count;
        for (int i = text.indexOf(old.text()); i >= 0 && left > 0; left--) {
            budget.step();
            out.append(s, from, i).append(with);
            budget.bound(out.length());
            from = i + old.text().length();
            if (!old.isEmpty()) {
                i = text.indexOf(old.text(), from);
            } else if (i == text.length()) {
                break;
            } else {
                i = text.offsetByCodePoints(i, 1);
            }
        }
        Str replaced = out.append(s, from, text.length()).build();
        return s.origin() == io.cortado.text.Origin.USER ? s.derive(replaced.text()) : replaced;
    }

    static Str capitalize(Str s) {
        if (s.isEmpty()) {
            return s;
        }
        int first = s.text().offsetByCodePoints(0, 1);
        return s.derive(
                s.text().substring(0, first).toUpperCase(Locale.ROOT)
                        + s.text().substring(first).toLowerCase(Locale.ROOT));
    }

    /** Words in title case; {@code endsWord} says after which characters a new word begins. */
    static Str title(Str s, IntPredicate endsWord) {
        var out = new StringBuilder();
        boolean start = true;
        for (int c : s.text().codePoints().toArray()) {
            out.appendCodePoint(start ? Character.toTitleCase(c) : Character.toLowerCase(c));
            start = endsWord.test(c);
        }
        return s.derive(out.toString());
    }

    private static Str pad(Str s, String name, Arguments args, Budget budget) {
        long width = args.whole(0, "width", 0);
        Str fill = args.has(1, "fillchar") ? args.text(1, "fillchar") : Str.literal(" ");
        if (fill.length() != 1) {
            throw new TemplateException(
                    "fill character must be one character: chars=" + fill.length());
        }
        long missing = Math.max(0, width - s.length());
        budget.text(missing + s.text().length());
        int left =
                switch (name) {
                    case "ljust" -> 0;
                    case "rjust" -> (int) missing;
                    default -> (int) (missing / 2 + (missing & width & 1));
                };
        return s.derive(
                fill.text().repeat(left) + s.text() + fill.text().repeat((int) missing - left),
                fill);
    }
}
