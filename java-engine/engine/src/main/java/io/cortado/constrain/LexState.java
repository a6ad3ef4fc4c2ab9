package io.cortado.constrain;

import org.jspecify.annotations.Nullable;

/**
 * The lexemes that may still match, each with what is left of it: a state of the lazy lexer. Safely
 * published by its final fields; {@link #next} fills racily with interned states.
 */
final class LexState {
    /** No lexeme matches any more. */
    static final LexState DEAD = new LexState(0, new Regex[0], new Regex[0], AcceptSet.NONE);

    final int id;
    final Regex[] lexemes;
    final Regex[] rests;
    final AcceptSet accepts;

    /** Whether a lexeme may go on. */
    final boolean continues;

    /** By byte; null where not derived yet. */
    final @Nullable LexState[] next;

    /** The tokens that stay within a lexeme, once computed. */
    volatile @Nullable LexMask mask;

    /** The same of the short tokens that are in no slice. */
    volatile @Nullable LexMask shortMask;

    LexState(int id, Regex[] lexemes, Regex[] rests, AcceptSet accepts) {
        this.id = id;
        this.lexemes = lexemes;
        this.rests = rests;
        this.accepts = accepts;
        boolean goesOn = false;
        for (Regex rest : rests) {
            goesOn |= rest != Regex.EMPTY;
        }
        continues = goesOn;
        next = new LexState[continues ? 256 : 0];
    }
}
