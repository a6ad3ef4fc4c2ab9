package io.cortado.engine;

import io.cortado.api.EngineStats;

/** Counts rows whose mask was late, on the loop's thread; any thread reads what was published. */
final class LateMasks {
    private long held;
    private long kept;
    private long redrawn;

    private volatile EngineStats.LateMasks shared = EngineStats.LateMasks.NONE;

    /** A row was not drawn. */
    void held() {
        held++;
        publish();
    }

    /** A row was drawn without its mask, which has the token or not. */
    void checked(boolean hasToken) {
        kept += hasToken ? 1 : 0;
        redrawn += hasToken ? 0 : 1;
        publish();
    }

    private void publish() {
        shared = new EngineStats.LateMasks(held, kept, redrawn);
    }

    EngineStats.LateMasks snapshot() {
        return shared;
    }
}
