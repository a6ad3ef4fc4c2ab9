package io.cortado.api;

/**
 * Mirostat 2.0 (Basu et al. 2021): tokens whose surprise is above a bound go, and the bound follows
 * what was drawn so that the mean surprise stays at {@code tau}. It takes the place of truncation.
 *
 * @param mode 0: off, 2: on; 1, the first version, is not offered
 * @param tau in (0, 100]: the surprise that is aimed at, in bits
 * @param eta in (0, 1]: how fast the bound follows
 */
public record Mirostat(int mode, float tau, float eta) {

    public static final Mirostat OFF = new Mirostat(0, 5, 0.1f);

    public Mirostat {
        Ranges.require(mode == 0 || mode == 2, "mirostat", "0 (off) or 2", mode);
        Ranges.require(tau > 0 && tau <= 100, "mirostat_tau", "in (0, 100]", tau);
        Ranges.require(eta > 0 && eta <= 1, "mirostat_eta", "in (0, 1]", eta);
    }

    public boolean isOff() {
        return mode == 0;
    }

    public Mirostat mode(int value) {
        return new Mirostat(value, tau, eta);
    }

    public Mirostat tau(float value) {
        return new Mirostat(mode, value, eta);
    }

    public Mirostat eta(float value) {
        return new Mirostat(mode, tau, value);
    }
}
