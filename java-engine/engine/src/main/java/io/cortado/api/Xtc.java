package io.cortado.api;

/**
 * "Exclude top choices": with this probability, of the tokens that are at least as likely as the
 * threshold all but the least likely go.
 *
 * @param probability in [0, 1]; 0: off
 * @param threshold in [0, 1]; above 0.5 there are never two such tokens
 */
public record Xtc(float probability, float threshold) {

    public static final Xtc OFF = new Xtc(0, 0.1f);

    public Xtc {
        Ranges.within("xtc_probability", 0, 1, probability);
        Ranges.within("xtc_threshold", 0, 1, threshold);
    }

    public boolean isOff() {
        return probability == 0 || threshold > 0.5f;
    }

    public Xtc probability(float value) {
        return new Xtc(value, threshold);
    }

    public Xtc threshold(float value) {
        return new Xtc(probability, value);
    }
}
