package io.cortado.engine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.api.ExpertLoad;
import io.cortado.moe.ExpertBalancer;
import io.cortado.moe.ExpertPlacement;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class ExpertMovesTest {
    private static final long EVERY = 1_000;

    private final List<List<ExpertPlacement>> proposed = new ArrayList<>();
    private final ExpertPlacement linear = ExpertPlacement.linear(8, 4);
    private long now = 5_000;
    private final ExpertMoves moves =
            new ExpertMoves(
                    () -> List.of(linear),
                    proposed::add,
                    new ExpertBalancer(4, 0),
                    EVERY,
                    () -> now);

    private void turn(Long... tokens) {
        moves.turn(() -> List.of(new ExpertLoad(0, List.of(tokens))));
    }

    @Test
    void movesWhereRanksAreNotBalanced() {
        now += EVERY;
        turn(1000L, 1000L, 10L, 10L, 10L, 10L, 10L, 10L);
        assertEquals(1, proposed.size());
        ExpertPlacement wanted = proposed.getFirst().getFirst();
        assertTrue(wanted.movesFrom(linear) > 0);
        long[] loads = {1000, 1000, 10, 10, 10, 10, 10, 10};
        assertTrue(wanted.balance(loads) > linear.balance(loads));
    }

    @Test
    void looksNowAndThen() {
        turn(1000L, 1000L, 10L, 10L, 10L, 10L, 10L, 10L);
        now += EVERY - 1;
        turn(1000L, 1000L, 10L, 10L, 10L, 10L, 10L, 10L);
        assertEquals(0, proposed.size());
    }

    @Test
    void leavesAloneWhatIsBalancedOrHardlyCounted() {
        now += EVERY;
        turn(500L, 510L, 500L, 500L, 490L, 500L, 500L, 500L);
        now += EVERY;
        turn(600L, 610L, 500L, 500L, 490L, 500L, 500L, 500L); // 200 since: too few to say
        assertEquals(0, proposed.size());
    }

    /** What was chosen before the last look does not count. */
    @Test
    void goesByWhatWasChosenSince() {
        now += EVERY;
        turn(1000L, 1000L, 10L, 10L, 10L, 10L, 10L, 10L);
        now += EVERY;
        turn(1500L, 1500L, 510L, 510L, 510L, 510L, 510L, 510L);
        assertEquals(1, proposed.size());
    }
}
