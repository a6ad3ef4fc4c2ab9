package io.cortado.text.jinja;

import io.cortado.text.Origin;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.IntPredicate;
import org.jspecify.annotations.Nullable;

/** The methods of str that give another text. What is not changed keeps its origin. */
final class StrChange {
    private StrChange() {}

    static @Nullable Callable find(Str s, String name, Budget budget) {
        Callable part = parts(s, name);
        if (part != null) {
            return part;
        }
        Callable letters = letters(s, name, budget);
        return letters != null ? letters : changes(s, name, budget);
    }

    private static @Nullable Callable parts(Str s, String name) {
        String text = s.text();
        return switch (name) {
            case "strip" -> args -> strip(s, args, true, true);
            case "lstrip" -> args -> strip(s, args, true, false);
            case "rstrip" -> args -> strip(s, args, false, true);
            case "removeprefix" ->
                    args -> {
                        args.exactly(1, name);
                        String prefix = args.text(0, "prefix").text();
                        return text.startsWith(prefix) ? s.part(prefix.length(), text.length()) : s;
                    };
            case "removesuffix" ->
                    args -> {
                        args.exactly(1, name);
                        String suffix = args.text(0, "suffix").text();
                        return text.endsWith(suffix)
                                ? s.part(0, text.length() - suffix.length())
                                : s;
                    };
            default -> null;
        };
    }

    private static @Nullable Callable letters(Str s, String name, Budget budget) {
        Callable change =
                switch (name) {
                    case "upper" -> _ -> upper(s, budget);
                    case "lower" -> _ -> lower(s, budget);
                    case "casefold" -> _ -> casefold(s, budget);
                    case "title" -> _ -> title(s, budget);
                    case "capitalize" -> _ -> capitalize(s, budget);
                    case "swapcase" -> _ -> swapCase(s, budget);
                    default -> null;
                };
        if (change == null) {
            return null;
        }
        return args -> {
            args.exactly(0, name);
            return change.call(args);
        };
    }

    private static @Nullable Callable changes(Str s, String name, Budget budget) {
        return switch (name) {
            case "replace" ->
                    args -> {
                        args.noneNamed("replace");
                        args.atMost(3, "replace");
                        return replace(
                                s,
                                args.text(0, "old"),
                                args.text(1, "new"),
                                args.whole(2, "count", -1),
                                budget);
                    };
            case "join" ->
                    args -> {
                        args.exactly(1, "join");
                        return join(
                                s, Operators.items(args.required(0, "iterable"), budget), budget);
                    };
            case "format" -> args -> BraceFormat.format(s, args, budget);
            case "format_map" ->
                    args -> {
                        args.exactly(1, "format_map");
                        if (!(args.required(0, "mapping") instanceof Map<?, ?> map)) {
                            throw new TemplateException("format_map needs a mapping");
                        }
                        return BraceFormat.format(s, Operators.map(map), budget);
                    };
            case "center", "ljust", "rjust" -> args -> pad(s, name, args, budget);
            case "zfill" -> args -> zeroFill(s, args, budget);
            case "expandtabs" -> args -> expandTabs(s, args.whole(0, "tabsize", 8), budget);
            default -> null;
        };
    }

    static Str strip(Str s, Arguments args, boolean left, boolean right) {
        args.known("strip", "chars");
        Object chars = args.optional(0, "chars", None.NONE);
        String set = chars == None.NONE ? "" : Operators.text(chars, "chars").text();
        IntPredicate drop = chars == None.NONE ? Strings::isSpace : set(set);
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

    private static IntPredicate set(String chars) {
        if (chars.length() <= 8) {
            return c -> chars.indexOf(c) >= 0;
        }
        var set = new java.util.BitSet();
        chars.codePoints().forEach(set::set);
        return set::get;
    }

    static Str upper(Str s, Budget budget) {
        budget.text(s.text().length());
        return s.map(text -> text.toUpperCase(Locale.ROOT));
    }

    static Str lower(Str s, Budget budget) {
        budget.text(s.text().length());
        return s.map(text -> text.toLowerCase(Locale.ROOT));
    }

    /** Lower case of upper case: so that what differs in case alone becomes equal. */
    private static Str casefold(Str s, Budget budget) {
        budget.text(s.text().length());
        return s.map(
                text -> text.toUpperCase(Locale.ROOT).toLowerCase(Locale.ROOT).replace('ς', 'σ'));
    }

    private static Str swapCase(Str s, Budget budget) {
        budget.text(s.text().length());
        return s.map(text -> {
            var out = new StringBuilder(text.length());
            text.codePoints()
                    .mapToObj(Character::toString)
                    .forEach(c ->
                            out.append(
                                    Character.isUpperCase(c.codePointAt(0))
                                            ? c.toLowerCase(Locale.ROOT)
                                            : c.toUpperCase(Locale.ROOT)));
            return out.toString();
        });
    }

    static Str capitalize(Str s, Budget budget) {
        budget.text(s.text().length());
        if (s.isEmpty()) {
            return s;
        }
        int first = s.text().offsetByCodePoints(0, 1);
        return s.derive(
                titleCase(s.text().codePointAt(0))
                        + s.text().substring(first).toLowerCase(Locale.ROOT));
    }

    private static Str title(Str s, Budget budget) {
        budget.text(s.text().length());
        var out = new StringBuilder();
        boolean afterCased = false;
        for (int c : s.text().codePoints().toArray()) {
            out.append(afterCased ? Character.toString(c).toLowerCase(Locale.ROOT) : titleCase(c));
            afterCased =
                    Character.isUpperCase(c)
                            || Character.isLowerCase(c)
                            || Character.isTitleCase(c);
        }
        return s.derive(out.toString());
    }

    /** A ligature becomes several letters of which the first is upper case. */
    private static String titleCase(int c) {
        String upper = Character.toString(c).toUpperCase(Locale.ROOT);
        boolean isOne = upper.codePointCount(0, upper.length()) == 1;
        return isOne
                ? Character.toString(Character.toTitleCase(c))
                : upper.charAt(0) + upper.substring(1).toLowerCase(Locale.ROOT);
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
        budget.text(out.length());
        return out.build();
    }

    /** What takes the place of a client's text is the client's as well. */
    static Str replace(Str s, Str old, Str with, long count, Budget budget) {
        if (count == 0) {
            return s;
        }
        var out = new Str.Builder();
        String text = s.text();
        int from = 0;
        long left = count < 0 ? Long.MAX_VALUE : count;
        for (int i = TextSearch.first(text, old.text(), 0); i >= 0 && left > 0; left--) {
            budget.step();
            int end = i + old.text().length();
            out.append(s, from, i);
            boolean isClients = (old.isEmpty() ? s : s.part(i, end)).origin() == Origin.USER;
            out.append(isClients ? Str.of(with.text(), Origin.USER) : with);
            budget.bound(out.length());
            from = end;
            if (!old.isEmpty()) {
                i = TextSearch.first(text, old.text(), from);
            } else if (i == text.length()) {
                break;
            } else {
                i = text.offsetByCodePoints(i, 1);
            }
        }
        budget.text(out.length());
        return out.append(s, from, text.length()).build().markup(s.isMarkup());
    }

    static Str pad(Str s, String name, Arguments args, Budget budget) {
        args.noneNamed(name);
        args.atMost(2, name);
        long width = Operators.whole(args.required(0, "width"));
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
        return repeated(fill, left)
                .plus(s)
                .plus(repeated(fill, (int) missing - left))
                .markup(s.isMarkup());
    }

    private static Str repeated(Str fill, int count) {
        return Str.of(fill.text().repeat(count), fill.origin());
    }

    private static Str zeroFill(Str s, Arguments args, Budget budget) {
        args.exactly(1, "zfill");
        long missing = args.whole(0, "width", 0) - s.length();
        if (missing <= 0) {
            return s;
        }
        budget.text(missing + s.text().length());
        int sign = s.text().startsWith("-") || s.text().startsWith("+") ? 1 : 0;
        return s.part(0, sign)
                .plus(Str.literal("0".repeat((int) missing)))
                .plus(s.part(sign, s.text().length()));
    }

    private static Str expandTabs(Str s, long size, Budget budget) {
        var out = new Str.Builder();
        String text = s.text();
        int from = 0;
        long column = 0;
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c == '\t') {
                long spaces = size > 0 ? size - column % size : 0;
                budget.text(spaces);
                budget.bound(out.length() + spaces);
                out.append(s, from, i).append(Str.literal(" ".repeat((int) spaces)));
                from = i + 1;
                column += spaces;
            } else if (!Character.isLowSurrogate(c)) {
                column = c == '\n' || c == '\r' ? 0 : column + 1;
            }
        }
        return out.append(s, from, text.length()).build();
    }
}
