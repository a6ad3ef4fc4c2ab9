package io.cortado.moe;

import java.util.List;
import java.util.function.Consumer;
import java.util.function.LongConsumer;
import org.jspecify.annotations.Nullable;

/** The matrices that a rank with experts has, by layer. The thread that computes asks. */
public interface ExpertTable {
    /** The experts of a layer that are here, counted among those with experts; null: none. */
    @Nullable ExpertMatrices layer(int layer);

    /** Of the layers of which experts are here. */
    List<ExpertMatrices> layers();

    /**
     * Begins to fetch what a placement wants, beside what is in use, where it has not begun;
     * returns at once.
     *
     * @param number of the placement
     * @param expertRank this rank's number among those with experts
     * @param ready is told the number when all is here; any thread
     * @param failed is told why it will not be; any thread
     */
    void prepare(
            long number,
            List<ExpertPlacement> placements,
            int expertRank,
            LongConsumer ready,
            Consumer<Throwable> failed);

    /** The placement of this number, which is ready, is the one in use from here on. */
    void enter(long number);
}
