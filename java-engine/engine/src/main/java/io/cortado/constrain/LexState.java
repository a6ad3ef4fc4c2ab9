package io.cortado.constrain;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * The lexemes that may still match, each with what is left of it: a state of the lazy lexer. Safely
 * published by its final fields; {@link #next} fills racily with interned states.
 *
 * <p>A state of a single rest that does not tell of which lexeme it is stands <em>alone</em>. The
 * other states take their bytes from those of their rests, which is where all is derived once.
 */
final class LexState {
    /** No lexeme matches any more. */
    static final LexState DEAD = new LexState(0, new Regex[0], new Regex[0], AcceptSet.NONE);

    final int id;
    final Regex[] lexemes;
    final Regex[] rests;

    /** The lexemes that end here, if a byte led here. */
    final AcceptSet accepts;

    /** Whether a lexeme may go on. */
    final boolean continues;

    /** By byte; null where not derived yet. */
    final @Nullable LexState[] next;

    /** The rests alone, once they were asked for. */
    volatile LexState @Nullable [] parts;

    /** Of a rest alone: the tokens that stay within it, once computed. */
    volatile @Nullable LexMask mask;

    /** The same of the short tokens that are in no slice. */
    volatile @Nullable LexMask shortMask;

    /** The same of the longer ones. */
    volatile @Nullable LexMask longMask;

    /** Of a rest alone: the bytes that it cannot tell apart. Under the lock of its space. */
    private ByteSet[] classes = {};

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

    @Override
    public int hashCode() {
        return id * 0x9E37_79B9;
    }

    /** Goes to {@code to} with all of these bytes. */
    void lead(ByteSet bytes, LexState to) {
        for (int from = bytes.next(0); from < 256; ) {
            int end = bytes.nextMissing(from);
            Arrays.fill(next, from, end, to);
            from = bytes.next(end);
        }
    }

    void learn(ByteSet bytes) {
        classes = Arrays.copyOf(classes, classes.length + 1);
        classes[classes.length - 1] = bytes;
    }

    /** The bytes that lead where {@code value} does, or some of them; it must be derived. */
    ByteSet sameAs(int value) {
        for (ByteSet bytes : classes) {
            if (bytes.contains(value)) {
                return bytes;
            }
        }
        throw new IllegalStateException("not derived: value=" + value);
    }
}
