package io.cortado.constrain;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Set;
import java.util.function.Function;
import java.util.function.IntFunction;
import org.jspecify.annotations.Nullable;

/** An interned {@link RuleState} with its edges, once they were asked for. */
final class StateNode {
    record LexemeEdge(Regex lexeme, StateNode next) {}

    /** Many lexemes, with what follows each. */
    record LexemesEdge(Lexemes lexemes, BitSet which, IntFunction<RuleState> next) {
        void addTo(Set<Regex> all) {
            for (int n = which.nextSetBit(0); n >= 0; n = which.nextSetBit(n + 1)) {
                all.add(lexemes.at(n));
            }
        }

        /** The state after a lexeme; null if it is not one of these. */
        @Nullable RuleState after(Regex lexeme) {
            int number = lexemes.indexOf(lexeme);
            return number >= 0 && which.get(number) ? next.apply(number) : null;
        }
    }

    record CallEdge(StateNode rule, StateNode next) {}

    /**
     * @param isAlike whether all states it may go on in begin with the same lexemes
     */
    record CaptureEdge(StateNode rule, Function<byte[], RuleState> next, boolean isAlike) {}

    record TokenEdge(TokenSet tokens, StateNode next) {}

    final RuleState state;
    final int id;
    List<LexemeEdge> lexemes = List.of();
    List<LexemesEdge> manyLexemes = List.of();
    List<CallEdge> calls = List.of();
    List<CaptureEdge> captures = List.of();
    List<TokenEdge> tokens = List.of();
    List<StateNode> skips = List.of();
    boolean accepts;
    boolean isExpanded;

    StateNode(RuleState state, int id) {
        this.state = state;
        this.id = id;
    }

    @Override
    public int hashCode() {
        return id * 0x9E37_79B9;
    }

    /** A list with one more, made at the first: most states have few edges, many are never left. */
    static <T> List<T> with(List<T> list, T edge) {
        List<T> all = list.isEmpty() ? new ArrayList<>(1) : list;
        all.add(edge);
        return all;
    }

    /** Whether the rule can only end here. */
    boolean isEnd() {
        return accepts && numEdges() == 0;
    }

    /** Whether it only stands for another state. */
    boolean isAlias() {
        return !accepts && numEdges() == 1 && skips.size() == 1;
    }

    int numEdges() {
        return lexemes.size()
                + manyLexemes.size()
                + calls.size()
                + captures.size()
                + tokens.size()
                + skips.size();
    }
}
