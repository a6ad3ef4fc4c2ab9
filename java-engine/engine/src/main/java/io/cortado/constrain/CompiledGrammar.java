package io.cortado.constrain;

/**
 * A grammar ready for requests, over one vocabulary. Thread-safe: its requests share an automaton
 * that is built as they need it.
 */
public final class CompiledGrammar {
    private final Automaton automaton;

    private CompiledGrammar(Automaton automaton) {
        this.automaton = automaton;
    }

    /**
     * Compiles the rule that starts in {@code root}; cheap, as the automaton is lazy. The regexes
     * belong to the grammar from here on.
     *
     * @throws GrammarException LIMIT
     */
    public static CompiledGrammar of(
            RuleState root, Regexes regexes, GrammarLimits limits, TokenTable vocabulary) {
        return new CompiledGrammar(new Automaton(root, regexes, limits, vocabulary));
    }

    /** The state of a new output. */
    public Matcher matcher() {
        return new Matcher(automaton);
    }

    public TokenTable vocabulary() {
        return automaton.vocabulary();
    }

    /** An estimate of the heap that automaton and memoised masks take now. */
    public long sizeBytes() {
        return automaton.sizeBytes();
    }
}
