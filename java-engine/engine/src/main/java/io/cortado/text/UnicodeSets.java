package io.cortado.text;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/**
 * The character classes of Oniguruma by name, from this JDK's Unicode tables. Hugging Face
 * tokenizers cuts with Oniguruma.
 */
final class UnicodeSets {
    static final CodePointSet NEWLINE = CodePointSet.of('\n');
    static final CodePointSet SPACE = CodePointSet.where(CharKind::isSpace);

    static final CodePointSet DIGIT = categories("Nd");

    /** Oniguruma counts the joiners out. */
    static final CodePointSet WORD_IN_BRACKETS =
            CodePointSet.where(Character::isAlphabetic)
                    .union(categories("Mn", "Mc", "Me", "Nd", "Pc"))
                    .minus(CodePointSet.ofChars("\u200C\u200D"));

    /** Outside of brackets, and at word borders, it counts six numbers of Latin-1 in. */
    static final CodePointSet WORD = WORD_IN_BRACKETS.union(CodePointSet.ofChars("²³¹¼½¾"));

    private static final Map<String, String> LONG_NAMES =
            Map.ofEntries(
                    Map.entry("letter", "L"),
                    Map.entry("mark", "M"),
                    Map.entry("number", "N"),
                    Map.entry("punctuation", "P"),
                    Map.entry("symbol", "S"),
                    Map.entry("separator", "Z"),
                    Map.entry("other", "C"),
                    Map.entry("uppercaseletter", "Lu"),
                    Map.entry("lowercaseletter", "Ll"),
                    Map.entry("titlecaseletter", "Lt"),
                    Map.entry("modifierletter", "Lm"),
                    Map.entry("otherletter", "Lo"),
                    Map.entry("nonspacingmark", "Mn"),
                    Map.entry("spacingmark", "Mc"),
                    Map.entry("enclosingmark", "Me"),
                    Map.entry("decimalnumber", "Nd"),
                    Map.entry("letternumber", "Nl"),
                    Map.entry("othernumber", "No"));

    private static final Map<Character.UnicodeScript, CodePointSet> SCRIPTS =
            new ConcurrentHashMap<>();

    private UnicodeSets() {}

    /** What {@code \p{name}} stands for, or null for a name that is not known. */
    static @Nullable CodePointSet named(String name) {
        String key = name.toLowerCase(Locale.ROOT).replaceAll("[ _-]", "");
        String category = LONG_NAMES.getOrDefault(key, key);
        CodePointSet set = byCategory(category);
        if (set == null) {
            set = byProperty(key);
        }
        return set != null ? set : byScript(name);
    }

    private static @Nullable CodePointSet byCategory(String name) {
        if (name.isEmpty() || name.length() > 2) {
            return null;
        }
        if (name.equalsIgnoreCase("lc") || name.equalsIgnoreCase("l&")) {
            return categories("Lu", "Ll", "Lt");
        }
        CodePointSet set = categories(name);
        return set.isEmpty() ? null : set;
    }

    private static @Nullable CodePointSet byProperty(String key) {
        return switch (key) {
            case "any" -> CodePointSet.ALL;
            case "ascii" -> CodePointSet.range(0, 0x7F);
            case "assigned" -> categories("Cn").complement();
            case "alpha", "alphabetic" -> CodePointSet.where(Character::isAlphabetic);
            case "alnum" -> CodePointSet.where(Character::isAlphabetic).union(DIGIT);
            case "digit" -> DIGIT;
            case "lower", "lowercase" -> CodePointSet.where(Character::isLowerCase);
            case "upper", "uppercase" -> CodePointSet.where(Character::isUpperCase);
            case "space", "whitespace" -> SPACE;
            case "blank" -> categories("Zs").union(CodePointSet.of('\t'));
            case "cntrl" -> categories("Cc");
            case "xdigit" -> CodePointSet.where(c -> c < 0x80 && Character.digit(c, 16) >= 0);
            case "word" -> WORD;
            case "punct" ->
                    categories("Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po")
                            .union(CodePointSet.ofChars("$+<=>^`|~"));
            case "graph" -> SPACE.union(categories("Cc", "Cn", "Cs")).complement();
            case "print" ->
                    SPACE.union(categories("Cc", "Cn", "Cs")).complement().union(categories("Zs"));
            case "ideographic" -> CodePointSet.where(Character::isIdeographic);
            case "emoji" -> CodePointSet.where(Character::isEmoji);
            default -> null;
        };
    }

    private static @Nullable CodePointSet byScript(String name) {
        Character.UnicodeScript script;
        try {
            script = Character.UnicodeScript.forName(name);
        } catch (IllegalArgumentException e) {
            return null;
        }
        return SCRIPTS.computeIfAbsent(
                script, s -> CodePointSet.where(c -> Character.UnicodeScript.of(c) == s));
    }

    /** The set with every character that differs from a member in case only. */
    static CodePointSet ignoringCase(CodePointSet set) {
        CodePointSet wider = set;
        for (int[] alike : CaseGroups.ALL) {
            for (int c : alike) {
                if (set.contains(c)) {
                    for (int other : alike) {
                        if (!wider.contains(other)) {
                            wider = wider.union(CodePointSet.of(other));
                        }
                    }
                    break;
                }
            }
        }
        return wider;
    }

    /** Characters of one simple case folding, such as S, s and the long s. */
    private static final class CaseGroups {
        static final List<int[]> ALL = groups();

        private static List<int[]> groups() {
            var members = new HashMap<Integer, List<Integer>>();
            for (int c = 0; c < 0x2_0000; c++) {
                int folded = Character.toLowerCase(Character.toUpperCase(c));
                boolean turkish = c == 0x130 || c == 0x131;
                if (!turkish && (folded != c || Character.toUpperCase(c) != c)) {
                    members.computeIfAbsent(folded, f -> new ArrayList<>()).add(c);
                }
            }
            var groups = new ArrayList<int[]>();
            members.forEach((folded, list) -> {
                if (!list.contains(folded)) {
                    list.add(folded);
                }
                groups.add(list.stream().mapToInt(Integer::intValue).toArray());
            });
            return groups;
        }
    }

    /** The general categories, found by one pass over all code points. */
    private static final class Categories {
        /** Indexed by {@link Character#getType(int)}; 17 is not used. */
        static final String[] NAMES = {
            "Cn", "Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Me", "Mc", "Nd", "Nl", "No", "Zs", "Zl",
                    "Zp",
            "Cc", "Cf", "", "Co", "Cs", "Pd", "Ps", "Pe", "Pc", "Po", "Sm", "Sc", "Sk", "So", "Pi",
            "Pf"
        };

        static final CodePointSet[] SETS = sets();

        private static CodePointSet[] sets() {
            var bounds = new IntList[NAMES.length];
            Arrays.setAll(bounds, type -> new IntList());
            int current = Character.getType(0);
            bounds[current].add(0);
            for (int c = 1; c < CodePointSet.END; c = CodePointSet.next(c)) {
                int type = Character.getType(c);
                if (type != current) {
                    bounds[current].add(c);
                    bounds[type].add(c);
                    current = type;
                }
            }
            bounds[current].add(CodePointSet.END);
            return Arrays.stream(bounds)
                    .map(b -> CodePointSet.ofBounds(b.toArray()))
                    .toArray(CodePointSet[]::new);
        }
    }

    /**
     * The union of the categories with these names; one letter stands for all that begin with it.
     */
    private static CodePointSet categories(String... names) {
        CodePointSet set = CodePointSet.NONE;
        for (String name : names) {
            for (int type = 0; type < Categories.NAMES.length; type++) {
                if (Categories.NAMES[type].regionMatches(true, 0, name, 0, name.length())) {
                    set = set.union(Categories.SETS[type]);
                }
            }
        }
        return set;
    }
}
