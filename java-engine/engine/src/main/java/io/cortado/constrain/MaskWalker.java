package io.cortado.constrain;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * Computes masks by walking the vocabulary's tries with the lexer, and on into later rows where a
 * lexeme ends within a token. Scratch memory of one thread at a time.
 */
final class MaskWalker {
    private final Automaton automaton;
    private final TokenTable vocabulary;
    private final PartMasks parts;
    private final Visits visits;
    private final int[] bits;

    MaskWalker(Automaton automaton) {
        this.automaton = automaton;
        vocabulary = automaton.vocabulary();
        visits = new Visits(100L * automaton.limits().stepFuel());
        parts = new PartMasks(automaton, visits);
        bits = new int[vocabulary.words()];
    }

    /** The tokens after which a completion of the output exists. */
    TokenMask mask(Config config, Fuel fuel) {
        TokenMask known = config.mask;
        if (known != null) {
            return known;
        }
        visits.restart();
        TokenMask mask = ofOnePart(config, fuel);
        if (mask == null) {
            mask = united(config, fuel);
        }
        automaton.keep(config, mask);
        return mask;
    }

    /** Where all that may follow is what goes on with one lexeme: its mask; else null. */
    private @Nullable TokenMask ofOnePart(Config config, Fuel fuel) {
        if (config.threads.length != 1 || config.tokenRows.length > 0 || config.isAccepting) {
            return null;
        }
        LexState[] rests = automaton.parts(config.space, config.threads[0].lex());
        if (rests.length != 1 || !rests[0].continues) {
            return null;
        }
        LexMask mask = parts.mask(config.space, rests[0], fuel);
        return mask.exitNodes().length == 0 ? mask.mask() : null;
    }

    private TokenMask united(Config config, Fuel fuel) {
        Arrays.fill(bits, 0);
        for (Config.Thread thread : config.threads) {
            addThread(config.space, thread, fuel);
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
        return TokenMask.of(bits);
    }

    /** What may follow is what may follow in any of the lexemes, each by itself. */
    private void addThread(Space space, Config.Thread thread, Fuel fuel) {
        LexState[] rests = automaton.parts(space, thread.lex());
        for (int i = 0; i < rests.length; i++) {
            if (!rests[i].continues) {
                continue;
            }
            LexMask mask = parts.mask(space, rests[i], fuel);
            mask.mask().orInto(bits);
            if (mask.exitNodes().length > 0) {
                AcceptSet accepts = automaton.accepts(space, thread.lex().lexemes[i]);
                leave(space, thread, mask, accepts, fuel);
            }
        }
    }

    /** Follows the tokens in which a lexeme of the thread ends before the token does. */
    private void leave(
            Space space, Config.Thread thread, LexMask mask, AcceptSet accepts, Fuel fuel) {
        Row after = null;
        if (thread.tape() == null) {
            after = after(space, thread.row(), accepts, null, fuel);
            if (!after.start.continues) {
                return;
            }
        }
        for (int i = 0; i < mask.exitNodes().length; i++) {
            TokenTrie trie = vocabulary.trie(mask.exitTries()[i]);
            int node = mask.exitNodes()[i];
            if (after == null) {
                cross(space, trie, 0, node, thread.row(), accepts, thread.tape(), fuel);
            } else {
                walk(space, trie, node, after.start, new Entry(after, node), fuel);
            }
        }
    }

    private Row after(Space space, Row row, AcceptSet accepts, @Nullable Tape tape, Fuel fuel) {
        Row known = tape == null ? row.known(accepts) : null;
        return known != null ? known : automaton.after(space, row, accepts, tape, fuel);
    }

    /** Goes on below {@code node} in the row after lexemes that ended there. */
    private void cross(
            Space space,
            TokenTrie trie,
            int from,
            int node,
            Row row,
            AcceptSet accepts,
            @Nullable Tape tape,
            Fuel fuel) {
        LexState start = tape == null ? null : row.knownStart(accepts);
        if (start != null) {
            if (start.continues) {
                var entry = new Entry(row, accepts, tape, from, node);
                walk(space, trie, node, start, entry, fuel);
            }
            return;
        }
        Row after = afterNode(space, trie, from, node, row, accepts, tape, fuel);
        if (after.start.continues) {
            walk(space, trie, node, after.start, new Entry(after, node), fuel);
        }
    }

    private Row afterNode(
            Space space,
            TokenTrie trie,
            int from,
            int node,
            Row row,
            AcceptSet accepts,
            @Nullable Tape tape,
            Fuel fuel) {
        Tape longer = tape == null ? null : automaton.append(tape, trie.path(from, node));
        return after(space, row, accepts, longer, fuel);
    }

    /**
     * Marks the tokens below {@code above} that lexemes of the row go through, and goes on in later
     * rows.
     */
    private void walk(
            Space space, TokenTrie trie, int above, LexState before, Entry entry, Fuel fuel) {
        int end = trie.first[above + 1];
        visits.add(end - trie.first[above]);
        for (int node = trie.first[above]; node < end; node++) {
            LexState state = automaton.next(space, before, trie.value[node] & 0xFF, fuel);
            if (state == LexState.DEAD) {
                continue;
            }
            if (trie.token[node] != TokenTrie.NONE) {
                trie.mark(node, bits);
            }
            if (trie.hasChildren(node)) {
                if (state.accepts != AcceptSet.NONE) {
                    Row row = entry.row(space, trie, fuel);
                    cross(space, trie, entry.node, node, row, state.accepts, row.tape, fuel);
                }
                if (state.continues) {
                    walk(space, trie, node, state, entry, fuel);
                }
            }
        }
    }

    /** A row entered at a node, made only where a token goes beyond it. */
    private final class Entry {
        final int node;
        private @Nullable Row row;
        private final Row before;
        private final AcceptSet accepts;
        private final @Nullable Tape tape;
        private final int from;

        Entry(Row row, int node) {
            this(row, AcceptSet.NONE, null, node, node);
            this.row = row;
        }

        /** After lexemes that ended at the node, in a row that the tape and its path decide. */
        Entry(Row before, AcceptSet accepts, @Nullable Tape tape, int from, int node) {
            this.before = before;
            this.accepts = accepts;
            this.tape = tape;
            this.from = from;
            this.node = node;
        }

        Row row(Space space, TokenTrie trie, Fuel fuel) {
            Row known = row;
            if (known == null) {
                known = afterNode(space, trie, from, node, before, accepts, tape, fuel);
                row = known;
            }
            return known;
        }
    }
}
