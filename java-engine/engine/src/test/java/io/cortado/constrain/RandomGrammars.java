package io.cortado.constrain;

import io.cortado.constrain.Syntax.Choice;
import io.cortado.constrain.Syntax.Lexeme;
import io.cortado.constrain.Syntax.Repeat;
import io.cortado.constrain.Syntax.Rule;
import io.cortado.constrain.Syntax.Sequence;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;

/** Random regexes, grammars and vocabularies over two letters. */
final class RandomGrammars {
    static final String LETTERS = "ab";
    static final int END = 0;

    private final Random random;
    final Regexes regexes = new Regexes(GrammarLimits.DEFAULT);
    final List<Rule> rules = new ArrayList<>();

    RandomGrammars(Random random) {
        this.random = random;
    }

    Regex regex(int depth) {
        if (depth == 0) {
            return switch (random.nextInt(6)) {
                case 0 -> regexes.empty();
                case 1 -> regexes.literal("ab");
                case 2 -> regexes.bytes(ByteSet.range('a', 'b'));
                case 3 -> regexes.literal("a");
                case 4 -> regexes.literal("b");
                default -> regexes.literal(random.nextBoolean() ? "ba" : "bb");
            };
        }
        return switch (random.nextInt(9)) {
            case 0, 1 -> regexes.or(regex(depth - 1), regex(depth - 1));
            case 2, 3 -> regexes.concat(regex(depth - 1), regex(depth - 1));
            case 4 -> regexes.and(regex(depth - 1), regexes.not(regex(depth - 1)));
            case 5 -> regexes.and(regex(depth - 1), regex(depth - 1));
            case 6 -> regexes.star(regex(depth - 1));
            case 7 -> {
                int min = random.nextInt(3);
                yield regexes.repeat(regex(depth - 1), min, min + random.nextInt(3));
            }
            default -> regexes.shortest(regex(depth - 1));
        };
    }

    /** A grammar of some rules that call each other at will. */
    Syntax grammar(int numRules) {
        for (int i = 0; i < numRules; i++) {
            rules.add(new Rule("r" + i));
        }
        for (Rule rule : rules) {
            rule.define(syntax(2));
        }
        return rules.getFirst();
    }

    private Syntax syntax(int depth) {
        if (depth == 0 || random.nextInt(5) == 0) {
            return random.nextInt(3) > 0
                    ? new Lexeme(regex(random.nextInt(3)))
                    : rules.get(random.nextInt(rules.size()));
        }
        List<Syntax> parts = new ArrayList<>();
        int numParts = random.nextInt(4);
        for (int i = 0; i < numParts; i++) {
            parts.add(syntax(depth - 1));
        }
        return switch (random.nextInt(5)) {
            case 0, 1 -> new Choice(parts);
            case 2, 3 -> new Sequence(parts);
            default -> {
                int min = random.nextInt(3);
                int max = random.nextBoolean() ? Regexes.UNBOUNDED : min + random.nextInt(3);
                yield new Repeat(syntax(depth - 1), min, max);
            }
        };
    }

    /** Id 0 ends; both letters are tokens; some longer ones, one of them twice; a hole. */
    TokenTable vocabulary() {
        List<String> texts = new ArrayList<>(List.of("", "a", "b", ""));
        int more = 1 + random.nextInt(6);
        for (int i = 0; i < more; i++) {
            var text = new StringBuilder();
            int length = 2 + random.nextInt(3);
            for (int c = 0; c < length; c++) {
                text.append(LETTERS.charAt(random.nextInt(2)));
            }
            texts.add(text.toString());
        }
        texts.add(texts.getLast());
        byte[][] bytes = new byte[texts.size()][];
        for (int i = 0; i < bytes.length; i++) {
            bytes[i] = texts.get(i).getBytes(StandardCharsets.ISO_8859_1);
        }
        return new TokenTable(bytes, Map.of(), texts.size() + random.nextInt(40), END);
    }
}
