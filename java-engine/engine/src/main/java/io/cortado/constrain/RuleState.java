package io.cortado.constrain;

/**
 * A place within a rule of a grammar, and by its outgoing {@link Edges} the rule from there on. A
 * rule is named by the state it starts in. States are made as they are reached, so a front-end may
 * give them parameters (counters of any size, sets of properties seen, excluded values) without
 * unrolling them: only the states that an output visits exist.
 *
 * <p><b>Contract.</b> Equal by value ({@code equals} and {@code hashCode}; a record of values
 * does), since equal states are merged. {@link #expand} is a function of that value alone, is
 * called under the automaton's lock, and may use the grammar's {@link Regexes}. <b>A state must be
 * live</b>: from it, some sequence of edges leads to {@link Edges#accept}. An edge to a state that
 * can never accept must not be offered: that is what keeps a mask sound. ({@link Syntax#start}
 * removes such parts from a grammar that is given as a whole. Edges whose lexeme matches nothing
 * are dropped by the automaton.)
 */
public interface RuleState {
    void expand(Edges out);

    /** An estimate of the heap that the state holds for itself, beyond some references. */
    default long sizeBytes() {
        return 0;
    }
}
