package io.cortado.gang;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.gang.GangException.Kind;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class FirstFailureTest {
    private final GangException one = new GangException(Kind.ABORTED, "one");
    private final GangException two = new GangException(Kind.DEADLINE, "two");
    private final List<String> order = new ArrayList<>();
    private final FirstFailure failure = new FirstFailure();

    @Test
    void theFirstCountsAndIsToldOnce() {
        failure.tell(why -> order.add("told " + why.getMessage()));
        assertNull(failure.get());
        assertTrue(failure.setAndThen(one, () -> order.add("work")));
        assertFalse(failure.setAndThen(two, () -> order.add("never")));
        assertSame(one, failure.get());
        assertEquals(List.of("work", "told one"), order);
    }

    @Test
    void whoAsksLateIsToldAtOnce() {
        failure.set(one);
        failure.tell(why -> order.add("told " + why.getMessage()));
        assertEquals(List.of("told one"), order);
    }

    /** Two that end each other come to an end. */
    @Test
    void failuresMayTellEachOther() {
        FirstFailure other = new FirstFailure();
        failure.tell(other::set);
        other.tell(failure::set);
        failure.set(one);
        assertSame(one, other.get());
    }
}
