package io.cortado.constrain;

import io.cortado.constrain.Syntax.Choice;
import io.cortado.constrain.Syntax.Lexeme;
import io.cortado.constrain.Syntax.Repeat;
import io.cortado.constrain.Syntax.Rule;
import io.cortado.constrain.Syntax.Sequence;
import io.cortado.constrain.Syntax.States;
import io.cortado.constrain.Syntax.Tokens;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/**
 * The obvious version: a language as the set of its strings up to a length, each construct by its
 * definition. Strings are of chars below 256, one a byte.
 */
final class SimpleLanguage {
    private final int maxLength;
    private final Set<String> universe;
    private final Map<Regex, Set<String>> regexes = new HashMap<>();
    private final Map<Rule, Set<String>> rules = new HashMap<>();

    /** Over these letters. */
    SimpleLanguage(String letters, int maxLength) {
        this.maxLength = maxLength;
        universe = new TreeSet<>();
        universe.add("");
        Set<String> longest = Set.of("");
        for (int i = 0; i < maxLength; i++) {
            Set<String> longer = new TreeSet<>();
            for (String text : longest) {
                letters.chars().forEach(letter -> longer.add(text + (char) letter));
            }
            universe.addAll(longer);
            longest = longer;
        }
    }

    Set<String> of(Regex regex) {
        Set<String> known = regexes.get(regex);
        if (known == null) {
            known = compute(regex);
            regexes.put(regex, known);
        }
        return known;
    }

    private Set<String> compute(Regex regex) {
        return switch (regex.kind) {
            case NOTHING -> Set.of();
            case EMPTY -> Set.of("");
            case BYTES -> {
                Set<String> all = new TreeSet<>();
                for (String text : universe) {
                    if (text.length() == 1 && regex.set.contains(text.charAt(0))) {
                        all.add(text);
                    }
                }
                yield all;
            }
            case LITERAL -> {
                var text = new StringBuilder();
                for (byte value : regex.literal) {
                    text.append((char) (value & 0xFF));
                }
                yield universe.contains(text.toString()) ? Set.of(text.toString()) : Set.of();
            }
            case CONCAT -> concat(of(regex.parts[0]), of(regex.parts[1]));
            case OR -> {
                Set<String> all = new TreeSet<>();
                for (Regex part : regex.parts) {
                    all.addAll(of(part));
                }
                yield all;
            }
            case AND -> {
                Set<String> all = new TreeSet<>(universe);
                for (Regex part : regex.parts) {
                    all.retainAll(of(part));
                }
                yield all;
            }
            case NOT -> {
                Set<String> all = new TreeSet<>(universe);
                all.removeAll(of(regex.part()));
                yield all;
            }
            case REPEAT -> repeat(of(regex.part()), regex.min, regex.max);
            case MULTIPLE -> {
                Set<String> all = new TreeSet<>(universe);
                all.removeIf(text -> !isMultiple(text, regex.min, regex.max));
                yield all;
            }
            case SHORTEST -> shortest(of(regex.part()));
        };
    }

    private static boolean isMultiple(String digits, int remainder, int divisor) {
        long left = remainder;
        for (char digit : digits.toCharArray()) {
            if (digit >= '0' && digit <= '9') {
                left = (left * 10 + digit - '0') % divisor;
            } else if (digit != '.') {
                return false;
            }
        }
        return left == 0;
    }

    private static Set<String> shortest(Set<String> texts) {
        Set<String> all = new TreeSet<>();
        for (String text : texts) {
            boolean isShortest = true;
            for (int i = 0; i < text.length(); i++) {
                isShortest &= !texts.contains(text.substring(0, i));
            }
            if (isShortest) {
                all.add(text);
            }
        }
        return all;
    }

    private Set<String> concat(Set<String> first, Set<String> second) {
        Set<String> all = new TreeSet<>();
        for (String a : first) {
            for (String b : second) {
                if (a.length() + b.length() <= maxLength) {
                    all.add(a + b);
                }
            }
        }
        return all;
    }

    private Set<String> repeat(Set<String> part, int min, int max) {
        Set<String> all = new TreeSet<>();
        Set<String> copies = Set.of("");
        // Copies that are not empty are at most as many as the letters.
        int enough = Math.min(max, Math.max(min, 0) + maxLength + 1);
        for (int count = 0; count <= enough && !copies.isEmpty(); count++) {
            if (count >= min) {
                all.addAll(copies);
            }
            copies = concat(copies, part);
        }
        return all;
    }

    /** By iteration to the fixed point: rules may refer to themselves. */
    Set<String> of(Syntax grammar, List<Rule> all) {
        all.forEach(rule -> rules.put(rule, Set.of()));
        boolean changed = true;
        while (changed) {
            changed = false;
            for (Rule rule : all) {
                Set<String> now = of(rule.body());
                changed |= !now.equals(rules.put(rule, now));
            }
        }
        return of(grammar);
    }

    private Set<String> of(Syntax syntax) {
        return switch (syntax) {
            case Lexeme(Regex regex) -> of(regex);
            case Rule rule -> rules.getOrDefault(rule, Set.of());
            case Sequence(var parts) -> {
                Set<String> joined = Set.of("");
                for (Syntax part : parts) {
                    joined = concat(joined, of(part));
                }
                yield joined;
            }
            case Choice(var options) -> {
                Set<String> joined = new TreeSet<>();
                options.forEach(option -> joined.addAll(of(option)));
                yield joined;
            }
            case Repeat(Syntax body, int min, int max) -> repeat(of(body), min, max);
            case Tokens tokens -> throw new IllegalArgumentException("tokens have no text");
            case States states -> throw new IllegalArgumentException("states are not static");
        };
    }

    /** Whether a string that begins so is among them. */
    static boolean hasPrefix(Set<String> texts, String prefix) {
        if (texts instanceof TreeSet<String> sorted) {
            String next = sorted.ceiling(prefix);
            return next != null && next.startsWith(prefix);
        }
        return texts.stream().anyMatch(text -> text.startsWith(prefix));
    }
}
