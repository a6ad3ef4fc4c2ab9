package io.cortado.moe;

/** In how many micro-batches a gang's passes are computed. */
public enum MicroBatching {
    ONE,
    TWO,

    /** In one or two, each as it took less time. */
    MEASURED;

    /** Of a pass. */
    public int most() {
        return this == ONE ? 1 : 2;
    }
}
