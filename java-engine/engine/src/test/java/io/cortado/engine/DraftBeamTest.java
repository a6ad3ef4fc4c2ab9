package io.cortado.engine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.api.DraftShape;
import io.cortado.kv.BlockPool;
import io.cortado.speculate.DraftTree;
import java.util.List;
import org.junit.jupiter.api.Test;

class DraftBeamTest {
    private static final int ROOT = DraftTree.ROOT;

    @Test
    void theLikeliestTextsAreGoneOnBehindAndSelected() {
        DraftBeam beam = new DraftBeam(BeamShape.of(new DraftShape.TopK(4, 2), 3), 3);
        BlockPool pool = new BlockPool(20);
        assertTrue(beam.begin(pool, 17, 3, 0));
        beam.add(ROOT, 0, 10, Math.log(0.6));
        beam.add(ROOT, 1, 20, Math.log(0.3));
        beam.endLevel();
        assertEquals(2, beam.numOpen());
        beam.add(0, 0, 11, Math.log(0.2));
        beam.add(0, 1, 12, Math.log(0.1));
        beam.add(1, 0, 21, Math.log(0.9));
        beam.add(1, 1, 22, Math.log(0.05));
        beam.endLevel();
        assertEquals(21, beam.token(beam.open(0)), "0.3 * 0.9 is the most");
        assertEquals(1, beam.placeOfParent(beam.open(0)));
        assertEquals(11, beam.token(beam.open(1)));
        assertEquals(0, beam.placeOfParent(beam.open(1)));
        beam.add(beam.open(0), 0, 31, Math.log(0.8));
        beam.endLevel();
        DraftTree tree = new DraftTree(4);
        beam.select(tree);
        assertEquals(4, tree.size());
        int second = tree.child(ROOT, 20);
        assertEquals(1, second);
        assertEquals(31, tree.token(tree.firstChild(tree.child(second, 21))));
        beam.release(pool);
        assertEquals(0, pool.used());
    }

    @Test
    void aFixedTreeGoesOnBehindWhatItHasSomethingBehind() {
        List<List<Integer>> paths =
                List.of(List.of(0), List.of(1), List.of(2), List.of(1, 0), List.of(1, 1));
        BeamShape shape = BeamShape.of(new DraftShape.Fixed(paths), 2);
        assertEquals(1, shape.width());
        assertEquals(3, shape.children());
        DraftBeam beam = new DraftBeam(shape, 2);
        assertTrue(beam.begin(new BlockPool(8), 5, 2, 0));
        assertEquals(3, beam.childrenOf(ROOT));
        beam.add(ROOT, 0, 10, -0.1);
        beam.add(ROOT, 1, 20, -2);
        beam.add(ROOT, 2, 30, -3);
        beam.endLevel();
        assertEquals(1, beam.numOpen());
        assertEquals(20, beam.token(beam.open(0)));
        assertEquals(2, beam.childrenOf(beam.open(0)));
        beam.add(1, 0, 21, -0.5);
        beam.add(1, 1, 22, -4);
        beam.endLevel();
        assertEquals(0, beam.numOpen());
        DraftTree tree = new DraftTree(5);
        beam.select(tree);
        assertEquals(5, tree.size());
        assertTrue(tree.child(tree.child(ROOT, 20), 22) >= 0);
    }

    @Test
    void itTakesAllItsBlocksOrNone() {
        DraftBeam beam = new DraftBeam(BeamShape.of(new DraftShape.TopK(4, 2), 3), 3);
        BlockPool pool = new BlockPool(5);
        assertTrue(beam.begin(pool, 0, 3, 1));
        assertEquals(4, pool.used());
        beam.release(pool);
        assertFalse(beam.begin(pool, 0, 3, 2));
        assertEquals(0, pool.used());
        assertTrue(beam.begin(pool, 0, 1, 2), "a tree of one level needs none");
        assertEquals(0, pool.used());
    }
}
