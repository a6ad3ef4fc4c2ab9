package io.cortado.model;

import java.util.List;
import java.util.Map;
import java.util.Set;

/** Where weights come from. */
interface TensorSource extends AutoCloseable {
    /** The tensor of this name, which has this shape, or an error that names both. */
    Tensor take(String name, long... shape);

    /**
     * Refuses in one error all of these tensors that are missing or have another shape; a source
     * that makes or converts its tensors has nothing to say yet.
     *
     * @param shapes shapes by name
     */
    default void require(Map<String, List<Long>> shapes) {}

    /** What was taken so far is packed: its memory may go. */
    void release();

    /** Refuses tensors that nobody took, but for the optional ones. */
    void requireAllTaken(Set<String> optional);

    @Override
    void close();
}
