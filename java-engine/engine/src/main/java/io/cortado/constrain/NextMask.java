package io.cortado.constrain;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * The mask of the token that follows a state of a {@link Matcher}, as work of its own: another
 * thread may do it while the matcher goes on. Of those of one matcher one is made at a time.
 */
public final class NextMask {
    private final TokenTable vocabulary;
    private final MaskWalker walker;
    private final int stepFuel;

    /** Null after the end of the output. */
    private final @Nullable Config config;

    NextMask(Automaton automaton, MaskWalker walker, @Nullable Config config) {
        vocabulary = automaton.vocabulary();
        stepFuel = automaton.limits().stepFuel();
        this.walker = walker;
        this.config = config;
    }

    /** True if it needs no more than a copy. */
    public boolean isKnown() {
        return config == null || config.mask != null;
    }

    /**
     * As {@link Matcher#allowed}.
     *
     * @throws GrammarException LIMIT
     */
    public void allowed(int[] mask) {
        if (mask.length != vocabulary.words()) {
            throw new IllegalArgumentException(
                    "mask must have a bit for each logit: words="
                            + mask.length
                            + " needed="
                            + vocabulary.words());
        }
        if (config == null) {
            Arrays.fill(mask, 0);
            for (int end : vocabulary.endIds()) {
                mask[end >> 5] |= 1 << end;
            }
            return;
        }
        TokenMask known = config.mask;
        (known != null ? known : walker.mask(config, new Fuel(stepFuel))).copyTo(mask);
    }
}
