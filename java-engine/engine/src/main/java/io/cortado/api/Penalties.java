package io.cortado.api;

/**
 * How tokens that are there already lose.
 *
 * @param repetition in (0, 100]: a positive logit of a token of prompt or output is divided by it,
 *     another one multiplied (Keskar et al. 2019); 1: off
 * @param frequency in [-2, 2]: taken off a logit as often as the token is in the output; 0: off
 * @param presence in [-2, 2]: taken off once if the token is in the output; 0: off
 */
public record Penalties(float repetition, float frequency, float presence) {

    public static final Penalties NONE = new Penalties(1, 0, 0);

    public Penalties {
        Ranges.require(
                repetition > 0 && repetition <= 100,
                "repetition_penalty",
                "in (0, 100]",
                repetition);
        Ranges.within("frequency_penalty", -2, 2, frequency);
        Ranges.within("presence_penalty", -2, 2, presence);
    }

    /** True if they change nothing. */
    public boolean areOff() {
        return repetition == 1 && frequency == 0 && presence == 0;
    }

    public Penalties repetition(float value) {
        return new Penalties(value, frequency, presence);
    }

    public Penalties frequency(float value) {
        return new Penalties(repetition, value, presence);
    }

    public Penalties presence(float value) {
        return new Penalties(repetition, frequency, value);
    }
}
