/** What many engines would do with a trace, on a virtual clock. */
@NullMarked
package io.cortado.bench.sim;

import org.jspecify.annotations.NullMarked;
