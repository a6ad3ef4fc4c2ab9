package io.cortado.model;

import java.util.Set;

/** Where weights come from. */
interface TensorSource extends AutoCloseable {
    /** The tensor of this name, which has this shape, or an error that names both. */
    Tensor take(String name, long... shape);

    /** What was taken so far is packed: its memory may go. */
    void release();

    /** Refuses tensors that nobody took, but for the optional ones. */
    void requireAllTaken(Set<String> optional);

    @Override
    void close();
}
