package io.cortado.constrain;

import java.util.BitSet;
import java.util.HashMap;
import java.util.Map;
import java.util.function.Function;
import java.util.function.IntFunction;

/** Interns rule states and asks them for their edges, once each. */
final class Network {
    private static final int NODE_BYTES = 250;
    private static final int EDGE_BYTES = 48;

    /** Of a large state, so many cost about as much to make and to compare as a derivative. */
    private static final int BYTES_PER_FUEL = 512;

    private final Regexes regexes;
    private final Footprint footprint;
    private final Map<RuleState, StateNode> nodes = new HashMap<>();

    Network(Regexes regexes, Footprint footprint) {
        this.regexes = regexes;
        this.footprint = footprint;
    }

    /** The node of a state, its edges known. */
    StateNode expanded(RuleState state) {
        return expanded(node(state));
    }

    StateNode expanded(StateNode node) {
        if (!node.isExpanded) {
            regexes.fuel().burn(1);
            node.state.expand(new Recorder(node));
            node.isExpanded = true;
            footprint.add((long) EDGE_BYTES * node.numEdges());
        }
        return node;
    }

    private StateNode node(RuleState state) {
        StateNode known = nodes.get(state);
        if (known == null) {
            long sizeBytes = state.sizeBytes();
            regexes.fuel().burn((int) Math.min(Integer.MAX_VALUE, sizeBytes / BYTES_PER_FUEL));
            known = new StateNode(state, nodes.size());
            nodes.put(state, known);
            footprint.add(NODE_BYTES + sizeBytes);
        }
        return known;
    }

    private final class Recorder implements Edges {
        private final StateNode node;

        Recorder(StateNode node) {
            this.node = node;
        }

        @Override
        public void accept() {
            node.accepts = true;
        }

        /** Lexemes have a byte at least: the empty match is an edge of its own. */
        @Override
        public void lexeme(Regex lexeme, RuleState next) {
            if (lexeme.isNullable) {
                skip(next);
            }
            if (lexeme != Regex.EMPTY && !regexes.isEmpty(lexeme)) {
                node.lexemes =
                        StateNode.with(node.lexemes, new StateNode.LexemeEdge(lexeme, node(next)));
            }
        }

        @Override
        public void lexemes(Lexemes lexemes, BitSet which, IntFunction<RuleState> next) {
            if (!which.isEmpty()) {
                node.manyLexemes =
                        StateNode.with(
                                node.manyLexemes, new StateNode.LexemesEdge(lexemes, which, next));
            }
        }

        @Override
        public void call(RuleState rule, RuleState next) {
            node.calls = StateNode.with(node.calls, new StateNode.CallEdge(node(rule), node(next)));
        }

        @Override
        public void skip(RuleState next) {
            node.skips = StateNode.with(node.skips, node(next));
        }

        @Override
        public void token(TokenSet tokens, RuleState next) {
            node.tokens = StateNode.with(node.tokens, new StateNode.TokenEdge(tokens, node(next)));
        }

        @Override
        public void capture(RuleState rule, Function<byte[], RuleState> next) {
            node.captures =
                    StateNode.with(
                            node.captures, new StateNode.CaptureEdge(node(rule), next, false));
        }

        @Override
        public void captureAlike(RuleState rule, Function<byte[], RuleState> next) {
            node.captures =
                    StateNode.with(
                            node.captures, new StateNode.CaptureEdge(node(rule), next, true));
        }
    }
}
