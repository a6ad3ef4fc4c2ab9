package io.cortado.device;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * The weights that {@code ct_sample} takes logprobs from, on the host and bit for bit the same
 * (kernels/sampling/weight.h): integers, so that parts of a row may be weighed by themselves and
 * added up in any order.
 */
public final class SampleWeights {
    private static final double LOG2_E = 1.4426950408889634;
    private static final int UNIT_BITS = 62;

    /** Leaves an exponent in [0, 128) in the low 52 bits of the double in units of 2^-32. */
    private static final double EXPONENT_BASE = 0x1p20;

    private static final long LOW_52 = (1L << 52) - 1;
    private static final long LOW_32 = 0xffff_ffffL;

    /** Of 1 - s (a - s (b - s c)), which is 2^(-s / 32) over s in [0, 1). */
    private static final long A = 1488522216L;

    private static final long B = 2063484881L;
    private static final long C = 14778834L;

    /** 2^31 * 2^(-i / 32), rounded. */
    private static final long[] STEPS = {
        2147483648L, 2101467502L, 2056437387L, 2012372174L, 1969251188L, 1927054196L, 1885761398L,
        1845353420L, 1805811301L, 1767116489L, 1729250827L, 1692196547L, 1655936265L, 1620452965L,
        1585730000L, 1551751076L, 1518500250L, 1485961921L, 1454120821L, 1422962010L, 1392470869L,
        1362633090L, 1333434672L, 1304861917L, 1276901417L, 1249540052L, 1222764986L, 1196563654L,
        1170923762L, 1145833280L, 1121280436L, 1097253708L
    };

    private final int idBits;

    /**
     * @param vocabSize ids that may be drawn: of the whole vocabulary
     */
    public SampleWeights(int vocabSize) {
        idBits = Math.max(1, Integer.SIZE - Integer.numberOfLeadingZeros(vocabSize - 1));
    }

    /**
     * The sum of the weights of logits at temperature 1.
     *
     * @param first index of the first
     * @param top the largest of the whole row, finite
     */
    public long mass(MemorySegment logits, long first, int count, float top) {
        double end = EXPONENT_BASE + UNIT_BITS + 1 - idBits; // what is deeper weighs nothing
        long sum = 0;
        for (long i = first; i < first + count; i++) {
            double logit = logits.getAtIndex(ValueLayout.JAVA_FLOAT, i);
            double exponent = (top - logit) * LOG2_E + EXPONENT_BASE;
            if (exponent < end) {
                sum += weight(Double.doubleToRawLongBits(exponent) & LOW_52);
            }
        }
        return sum;
    }

    private long weight(long exponent) {
        long s = exponent << 5 & LOW_32;
        long u = B - (C * s >>> 32);
        long v = A - (u * s >>> 39);
        long power = (1L << 31) - (v * s >>> 37);
        int step = (int) (exponent >>> 27) & 31;
        return STEPS[step] * power >>> (exponent >>> 32) + idBits;
    }

    /** The logarithm of the sum of e^(logit - top) that weighs so much. */
    public double logOf(long mass) {
        return Math.log(mass / (double) (1L << UNIT_BITS - idBits));
    }
}
