/** Attention and experts on ranks of their own, with artificial times. */
@NullMarked
package io.cortado.bench.pingpong;

import org.jspecify.annotations.NullMarked;
