/** Sampling parameters to device arrays, and drawn tokens with their log-probabilities back. */
@NullMarked
package io.cortado.sampling;

import org.jspecify.annotations.NullMarked;
