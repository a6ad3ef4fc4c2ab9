package io.cortado.engine;

import io.cortado.api.Constraint;
import io.cortado.api.EngineException;
import io.cortado.constrain.GrammarException;
import io.cortado.constrain.NextMask;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * The bits of what may be drawn in a row. The loop asks for them and any thread makes them, one at
 * a time; what was asked before is forgotten, even where it is still being made.
 */
final class RowMask {
    /** What is to be made: a snapshot. Equal ones make the same. */
    sealed interface Ask {
        /** True if it takes no longer than to hand it on. */
        boolean isKnown();

        /** Why the answer cannot go on, or null; all ones where that is so. */
        @Nullable EngineException make(int[] bits);
    }

    /** A row that nobody draws by, or one whose answer has failed. */
    record Open(@Nullable EngineException failure) implements Ask {
        @Override
        public boolean isKnown() {
            return true;
        }

        @Override
        public @Nullable EngineException make(int[] bits) {
            Arrays.fill(bits, -1);
            return failure;
        }
    }

    /**
     * @param next what the answer may go on with; null: with nothing
     * @param phase of the reasoning, its own copy; null: there is none
     * @param numTokens of the answer so far
     */
    record Look(@Nullable NextMask next, @Nullable ReasoningPhase phase, int numTokens)
            implements Ask {
        @Override
        public boolean isKnown() {
            return next == null || phase != null && phase.isInside() || next.isKnown();
        }

        @Override
        public @Nullable EngineException make(int[] bits) {
            EngineException failure = tryMake(bits);
            if (failure != null) {
                Arrays.fill(bits, -1); // the row is drawn all the same
            }
            return failure;
        }

        private @Nullable EngineException tryMake(int[] bits) {
            if (phase != null && phase.isInside()) {
                phase.inside(bits);
                return null;
            }
            try {
                if (next == null) {
                    Arrays.fill(bits, 0);
                } else {
                    next.allowed(bits);
                }
                if (phase != null) {
                    phase.addOpening(bits);
                }
            } catch (GrammarException e) {
                return Constraints.refused(e);
            } catch (RuntimeException | Error fault) {
                return Guide.failed(numTokens, fault);
            }
            for (int word : bits) {
                if (word != 0) {
                    return null;
                }
            }
            return EngineException.invalid(
                    Constraint.PARAM,
                    "no token of the model's can go on with the output: tokens=" + numTokens);
        }
    }

    private final int[] bits;
    private volatile @Nullable Ask asked;
    private volatile @Nullable Ask made;
    private @Nullable EngineException failure;

    RowMask(int words) {
        bits = new int[words];
    }

    /** Once they are made. */
    int[] bits() {
        return bits;
    }

    /** Why there is none, once it is made; null where there is one. */
    @Nullable EngineException failure() {
        return failure;
    }

    boolean isAsked() {
        return asked != null;
    }

    boolean isMade() {
        Ask ask = asked;
        return ask != null && ask.equals(made);
    }

    /** What is asked for and not made. */
    @Nullable Ask wanted() {
        Ask ask = asked;
        return ask == null || ask.equals(made) ? null : ask;
    }

    /**
     * @param ask null: nothing
     */
    void ask(@Nullable Ask ask) {
        asked = ask;
    }

    void make(Ask ask) {
        failure = ask.make(bits);
        made = ask;
    }
}
