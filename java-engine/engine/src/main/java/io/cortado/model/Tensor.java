package io.cortado.model;

import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * A named array of a checkpoint.
 *
 * @param data row-major, little-endian, at any alignment
 */
record Tensor(String name, TensorType type, List<Long> shape, MemorySegment data) {}
