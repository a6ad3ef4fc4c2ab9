package io.cortado.speculate;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class DraftTreeTest {
    @Test
    void nodesStandBehindTheirParents() {
        DraftTree tree = new DraftTree(5);
        int a = tree.add(DraftTree.ROOT, 10);
        int b = tree.add(DraftTree.ROOT, 20);
        int c = tree.add(a, 11);
        assertEquals(1, tree.depth(b));
        assertEquals(2, tree.depth(c));
        assertEquals(b, tree.child(DraftTree.ROOT, 20));
        assertEquals(c, tree.child(a, 11));
        assertEquals(DraftTree.NONE, tree.child(b, 11));
        assertEquals(DraftTree.NONE, tree.child(DraftTree.ROOT, -1));
        assertFalse(tree.isChain());
        assertEquals(2, tree.room());
        tree.truncate(1);
        assertTrue(tree.isChain());
        assertEquals(DraftTree.NONE, tree.child(a, 11), "what was dropped is gone");
    }

    @Test
    void whatIsCutTakesWithItWhatIsBehind() {
        DraftTree tree = new DraftTree(6);
        int a = tree.add(DraftTree.ROOT, 10);
        int b = tree.add(DraftTree.ROOT, 20);
        tree.add(a, 11);
        int d = tree.add(b, 21);
        tree.add(d, 22);
        tree.cut(a);
        assertEquals(3, tree.size());
        int behind = tree.child(DraftTree.ROOT, 20);
        assertEquals(0, behind);
        assertEquals(22, tree.token(tree.firstChild(tree.child(behind, 21))));
        tree.cut(tree.child(behind, 21));
        assertTrue(tree.isLeaf(behind));
        assertEquals(1, tree.size());
    }

    @Test
    void theWayOfTheFirstChildrenIsTheChain() {
        DraftTree tree = new DraftTree(5);
        int a = tree.add(DraftTree.ROOT, 10);
        int b = tree.add(a, 11);
        int other = tree.add(a, 12);
        int c = tree.add(b, 13);
        int last = tree.add(other, 14);
        assertEquals(0, tree.firstsOnTheWayTo(DraftTree.ROOT));
        assertEquals(3, tree.firstsOnTheWayTo(c));
        assertEquals(1, tree.firstsOnTheWayTo(last));
    }

    @Test
    void whatIsNotThereIsRefused() {
        DraftTree tree = new DraftTree(2);
        assertThrows(IllegalArgumentException.class, () -> tree.add(0, 1));
        assertThrows(IllegalArgumentException.class, () -> tree.add(DraftTree.NONE, 1));
        assertThrows(IndexOutOfBoundsException.class, () -> tree.token(0));
        tree.append(1);
        tree.append(2);
        assertThrows(IndexOutOfBoundsException.class, () -> tree.append(3));
    }
}
