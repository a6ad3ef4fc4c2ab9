package io.cortado.gang;

/** What a rank does that only computes what exchanges bring it: between two exchanges, a step. */
public interface ExchangeSteps {
    /** Of the next exchange, as in {@link Transport#exchange}. */
    int kind();

    /** What it sends; it stays as it is until {@link #next}. */
    Parts send();

    /** What it fills. */
    Parts receive();

    /** The exchange is over: takes what came, and gets the next one ready. False: there is none. */
    boolean next();

    /**
     * Whether {@link #next} computes on the cores of this process: then a rank of the same process
     * that waits for this one may call it.
     */
    boolean computesOnCaller();
}
