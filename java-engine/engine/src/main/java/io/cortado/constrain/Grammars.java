package io.cortado.constrain;

import java.nio.charset.StandardCharsets;
import java.util.List;

/** The front-ends that take a text: each compiles to a {@link CompiledGrammar} or refuses. */
public final class Grammars {
    /** Of the text of a grammar, which stays with it, and of each choice. */
    private static final long CHAR_BYTES = 2;

    private static final long CHOICE_BYTES = 64;

    private Grammars() {}

    /** Outputs that match the pattern as a whole. */
    public static CompiledGrammar regex(
            String pattern, TokenTable vocabulary, GrammarLimits limits) {
        Regexes regexes = regexes(pattern.length(), 0, limits);
        Regex regex = RegexParser.whole(regexes, pattern, RegexDialect.COMMON, "");
        return compiled(new Syntax.Lexeme(regex), regexes, vocabulary, limits);
    }

    /** One of these outputs. */
    public static CompiledGrammar choice(
            List<String> choices, TokenTable vocabulary, GrammarLimits limits) {
        long numChars = choices.stream().mapToLong(String::length).sum();
        Regexes regexes = regexes(numChars, choices.size(), limits);
        Regex regex =
                regexes.choice(
                        choices.stream()
                                .map(choice -> choice.getBytes(StandardCharsets.UTF_8))
                                .toList());
        return compiled(new Syntax.Lexeme(regex), regexes, vocabulary, limits);
    }

    /**
     * Outputs of a grammar in llama.cpp's dialect of EBNF.
     *
     * @param root the name of the rule that an output is of, {@code root} by custom
     */
    public static CompiledGrammar gbnf(
            String grammar, String root, TokenTable vocabulary, GrammarLimits limits) {
        Regexes regexes = regexes(grammar.length(), 0, limits);
        Syntax syntax = GbnfParser.parse(regexes, vocabulary, grammar, root);
        return compiled(syntax, regexes, vocabulary, limits);
    }

    /** Outputs of the rule {@code start} of a grammar in Lark's syntax. */
    public static CompiledGrammar lark(
            String grammar, TokenTable vocabulary, GrammarLimits limits) {
        Regexes regexes = regexes(grammar.length(), 0, limits);
        Syntax syntax = LarkParser.parse(regexes, vocabulary, grammar);
        return compiled(syntax, regexes, vocabulary, limits);
    }

    /** GBNF with the rule {@code root} where the text has a {@code ::=}, else Lark. */
    public static CompiledGrammar grammar(
            String grammar, TokenTable vocabulary, GrammarLimits limits) {
        return grammar.contains("::=")
                ? gbnf(grammar, "root", vocabulary, limits)
                : lark(grammar, vocabulary, limits);
    }

    private static CompiledGrammar compiled(
            Syntax syntax, Regexes regexes, TokenTable vocabulary, GrammarLimits limits) {
        RuleState root = Syntax.start(syntax, regexes);
        return CompiledGrammar.of(root, regexes, limits, vocabulary);
    }

    private static Regexes regexes(long numChars, int numChoices, GrammarLimits limits) {
        if (numChars > limits.maxInputChars()) {
            throw GrammarException.limit("characters", numChars, limits.maxInputChars());
        }
        var regexes = new Regexes(limits);
        long bytes = CHAR_BYTES * numChars + CHOICE_BYTES * numChoices;
        regexes.count(() -> bytes);
        return regexes;
    }
}
