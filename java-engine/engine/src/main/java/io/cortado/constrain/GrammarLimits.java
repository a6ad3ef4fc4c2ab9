package io.cortado.constrain;

/**
 * What one grammar may cost. All fail closed: over a limit is a {@link GrammarException}, never a
 * wider mask.
 *
 * @param maxInputChars of a pattern, grammar or list of choices as text
 * @param maxRegexNodes that compiling may make
 * @param compileFuel derivatives, items and states that compiling may make
 * @param stepFuel the same for one mask or one accepted token
 * @param maxItems of one parser row
 * @param automatonBytes of the automaton that the requests of a grammar share; it starts afresh
 *     above it
 * @param maskBytes of the masks memoised for it
 */
public record GrammarLimits(
        int maxInputChars,
        int maxRegexNodes,
        int compileFuel,
        int stepFuel,
        int maxItems,
        long automatonBytes,
        long maskBytes) {
    public static final GrammarLimits DEFAULT =
            new GrammarLimits(
                    4 << 20, 1_000_000, 1_000_000, 1_000_000, 20_000, 128L << 20, 32L << 20);

    public GrammarLimits {
        if (maxInputChars < 1
                || maxRegexNodes < 1
                || compileFuel < 1
                || stepFuel < 1
                || maxItems < 1
                || automatonBytes < 1
                || maskBytes < 0) {
            throw new IllegalArgumentException("limits must be positive");
        }
    }
}
