package io.cortado.model;

import io.cortado.device.Curve;
import io.cortado.device.Rate;
import java.util.function.Function;

/**
 * One layer's attention of sequences that decode: measured for a few numbers of sequences, between
 * them on a straight line, as few sequences cannot use all of a device.
 */
final class DecodeRates {
    private static final int[] SEQS = {1, 4, 16};

    private final Curve[] curves = new Curve[SEQS.length];

    DecodeRates(Rate.Attention attention, Function<Rate, Curve> rates) {
        for (int i = 0; i < SEQS.length; i++) {
            curves[i] = rates.apply(new Rate.Decode(attention, SEQS[i]));
        }
    }

    /** The share of one of so many sequences, which has so many keys. */
    double seconds(int numSeqs, int keys) {
        int last = SEQS.length - 1;
        if (numSeqs >= SEQS[last]) {
            return curves[last].at(keys) / SEQS[last];
        }
        int above = 0;
        while (SEQS[above] < numSeqs) {
            above++;
        }
        if (SEQS[above] == numSeqs) {
            return curves[above].at(keys) / numSeqs;
        }
        double part = (double) (numSeqs - SEQS[above - 1]) / (SEQS[above] - SEQS[above - 1]);
        double all =
                curves[above - 1].at(keys)
                        + part * (curves[above].at(keys) - curves[above - 1].at(keys));
        return all / numSeqs;
    }
}
