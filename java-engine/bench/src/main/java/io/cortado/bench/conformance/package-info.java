/** Runs against facts made by others: a line per group, failures named, then RESULT lines. */
@NullMarked
package io.cortado.bench.conformance;

import org.jspecify.annotations.NullMarked;
