package io.cortado.constrain;

import java.util.BitSet;
import java.util.function.Function;
import java.util.function.IntFunction;

/** Takes what may come next at a {@link RuleState}; several edges are alternatives. */
public interface Edges {
    /** The rule may end here. */
    void accept();

    /**
     * A string of {@code lexeme}, then {@code next}. All ways to cut the text into lexemes are
     * followed, there is no longest match; {@link Regexes#shortest} makes a lexeme lazy.
     */
    void lexeme(Regex lexeme, RuleState next);

    /**
     * As {@link #lexeme} for each of a set, where the state after it is only made once that lexeme
     * has been matched: for many, of which few will come.
     *
     * @param which numbers of lexemes
     * @param next by number, a function of it alone
     */
    void lexemes(Lexemes lexemes, BitSet which, IntFunction<RuleState> next);

    /** A whole run of the rule that starts in {@code rule}, then {@code next}. */
    void call(RuleState rule, RuleState next);

    /** {@code next} without any text between. */
    void skip(RuleState next);

    /** One token by its id, control tokens included, then {@code next}. */
    void token(TokenSet tokens, RuleState next);

    /**
     * As {@link #call}, and where to go on depends on the bytes that the rule matched. For values
     * that later ones are compared with; states under it are not shared between texts, so use it
     * only where the bytes decide something.
     */
    void capture(RuleState rule, Function<byte[], RuleState> next);

    /**
     * As {@link #capture}, where the states that {@code next} gives begin with the same lexemes
     * whatever the bytes are: only what follows those may differ.
     */
    void captureAlike(RuleState rule, Function<byte[], RuleState> next);
}
