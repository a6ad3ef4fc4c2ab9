/** Benchmarks and the open-loop load generator: a table first, then RESULT lines. */
@NullMarked
package io.cortado.bench;

import org.jspecify.annotations.NullMarked;
