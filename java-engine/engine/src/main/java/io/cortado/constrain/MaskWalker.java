package io.cortado.constrain;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Computes masks by walking the vocabulary's tries with the lexer, and on into later rows where a
 * lexeme ends within a token. Scratch memory of one thread at a time.
 */
final class MaskWalker {
    private final Automaton automaton;
    private final TokenTable vocabulary;
    private final int[] bits;
    private final LexState[] stack;
    private final long maxVisits;

    private long visits;

    /** Where lexemes ended within tokens, while a mask of a lexer state is computed. */
    private int numExits;

    private int[] exitTries = new int[16];
    private int[] exitNodes = new int[16];
    private AcceptSet[] exitAccepts = new AcceptSet[16];

    MaskWalker(Automaton automaton) {
        this.automaton = automaton;
        vocabulary = automaton.vocabulary();
        bits = new int[vocabulary.words()];
        stack = new LexState[vocabulary.all().maxDepth + 1];
        maxVisits = 100L * automaton.limits().stepFuel();
    }

    /** The tokens after which a completion of the output exists. */
    TokenMask mask(Config config, Fuel fuel) {
        TokenMask known = config.mask;
        if (known != null) {
            return known;
        }
        visits = 0;
        List<LexMask> masks = new ArrayList<>(config.threads.length);
        for (Config.Thread thread : config.threads) {
            masks.add(lexMask(config.space, thread.lex(), fuel));
        }
        Arrays.fill(bits, 0);
        for (int i = 0; i < config.threads.length; i++) {
            masks.get(i).mask().orInto(bits);
            leave(config.space, config.threads[i], masks.get(i), fuel);
        }
        for (Row row : config.tokenRows) {
            for (Row.TokenTarget edge : row.tokens) {
                vocabulary.mark(edge.tokens(), bits);
            }
        }
        for (int end : vocabulary.endIds()) {
            if (config.isAccepting) {
                bits[end >> 5] |= 1 << end;
            } else {
                bits[end >> 5] &= ~(1 << end);
            }
        }
        TokenMask mask = TokenMask.of(bits);
        automaton.keep(config, mask);
        return mask;
    }

    private LexMask lexMask(Space space, LexState state, Fuel fuel) {
        LexMask known = state.mask;
        if (known != null) {
            return known;
        }
        boolean isOne = state.lexemes.length == 1;
        LexMask shorts = isOne ? shortMask(space, state, fuel) : null;
        Arrays.fill(bits, 0);
        numExits = 0;
        List<Slice> slices = vocabulary.slices();
        for (int i = 0; i < slices.size(); i++) {
            Slice slice = slices.get(i);
            int reach = automaton.reach(space, state, slice, fuel);
            if (reach == SliceProofs.UNKNOWN) {
                walk(space, slice.trie(), i, 0, state, null, null, fuel);
            } else {
                slice.orInto(reach, bits);
            }
        }
        walk(space, vocabulary.longRest(), slices.size(), 0, state, null, null, fuel);
        if (shorts == null) {
            walk(space, vocabulary.shortRest(), slices.size() + 1, 0, state, null, null, fuel);
        } else {
            shorts.mask().orInto(bits);
            AcceptSet accepts = automaton.accepts(space, state.lexemes[0]);
            for (int node : shorts.exitNodes()) {
                note(slices.size() + 1, node, accepts);
            }
        }
        LexMask mask = noted();
        automaton.keep(state, mask);
        return mask;
    }

    /** Of the short tokens in no slice: the same for many counts, and for equal lexemes' ends. */
    private LexMask shortMask(Space space, LexState state, Fuel fuel) {
        LexState shared = automaton.shared(space, state, TokenTable.SHORT_REST, fuel);
        LexMask known = shared.shortMask;
        if (known != null) {
            return known;
        }
        Arrays.fill(bits, 0);
        numExits = 0;
        int number = vocabulary.slices().size() + 1;
        walk(space, vocabulary.shortRest(), number, 0, shared, null, null, fuel);
        LexMask mask = noted();
        automaton.keepShort(shared, mask);
        return mask;
    }

    private LexMask noted() {
        return new LexMask(
                TokenMask.of(bits),
                Arrays.copyOf(exitTries, numExits),
                Arrays.copyOf(exitNodes, numExits),
                Arrays.copyOf(exitAccepts, numExits));
    }

    private TokenTrie trie(int number) {
        int numSlices = vocabulary.slices().size();
        if (number < numSlices) {
            return vocabulary.slices().get(number).trie();
        }
        return number == numSlices ? vocabulary.longRest() : vocabulary.shortRest();
    }

    /** Follows the tokens in which a lexeme of the thread ends before the token does. */
    private void leave(Space space, Config.Thread thread, LexMask mask, Fuel fuel) {
        for (int i = 0; i < mask.exitNodes().length; i++) {
            int trie = mask.exitTries()[i];
            TokenTrie tokens = trie(trie);
            int node = mask.exitNodes()[i];
            cross(
                    space,
                    tokens,
                    trie,
                    0,
                    node,
                    thread.row(),
                    mask.exitAccepts()[i],
                    thread.tape(),
                    fuel);
        }
    }

    /** Goes on below {@code node} in the row after lexemes that ended there. */
    private void cross(
            Space space,
            TokenTrie trie,
            int trieNumber,
            int from,
            int node,
            Row row,
            AcceptSet accepts,
            @Nullable Tape tape,
            Fuel fuel) {
        Tape longer = tape == null ? null : append(trie, from, node, tape);
        Row after = tape == null ? row.known(accepts) : null;
        if (after == null) {
            after = automaton.after(space, row, accepts, longer, fuel);
        }
        if (after.start.continues) {
            walk(space, trie, trieNumber, node, after.start, after, after.tape, fuel);
        }
    }

    private Tape append(TokenTrie trie, int from, int node, Tape tape) {
        int length = trie.depth[node] - trie.depth[from];
        var path = new byte[length];
        for (int i = length - 1, n = node; i >= 0; i--, n = trie.parent[n]) {
            path[i] = trie.value[n];
        }
        return automaton.append(tape, path, 0, length);
    }

    /**
     * Marks the tokens below {@code from} that the lexer goes through.
     *
     * @param row in which lexemes end; null to note down where they do
     */
    private void walk(
            Space space,
            TokenTrie trie,
            int trieNumber,
            int from,
            LexState start,
            @Nullable Row row,
            @Nullable Tape tape,
            Fuel fuel) {
        int last = trie.end[from];
        stack[trie.depth[from]] = start;
        int node = from + 1;
        int visited = 0;
        while (node < last) {
            visited++;
            int depth = trie.depth[node];
            LexState before = stack[depth - 1];
            int value = trie.value[node] & 0xFF;
            LexState state = before.next[value];
            if (state == null) {
                state = automaton.next(space, before, value, fuel);
            }
            if (state == LexState.DEAD) {
                node = trie.end[node];
                continue;
            }
            if (trie.token[node] != TokenTrie.NONE) {
                trie.mark(node, bits);
            }
            int end = trie.end[node];
            if (end > node + 1) {
                if (state.accepts != AcceptSet.NONE) {
                    if (row == null) {
                        note(trieNumber, node, state.accepts);
                    } else {
                        cross(space, trie, trieNumber, from, node, row, state.accepts, tape, fuel);
                    }
                }
                if (!state.continues) {
                    node = end;
                    continue;
                }
                stack[depth] = state;
            }
            node++;
        }
        visits += visited;
        if (visits > maxVisits) {
            throw GrammarException.limit("visits of the vocabulary", visits, maxVisits);
        }
    }

    private void note(int trie, int node, AcceptSet accepts) {
        if (numExits == exitNodes.length) {
            exitTries = Arrays.copyOf(exitTries, 2 * numExits);
            exitNodes = Arrays.copyOf(exitNodes, 2 * numExits);
            exitAccepts = Arrays.copyOf(exitAccepts, 2 * numExits);
        }
        exitTries[numExits] = trie;
        exitNodes[numExits] = node;
        exitAccepts[numExits++] = accepts;
    }
}
