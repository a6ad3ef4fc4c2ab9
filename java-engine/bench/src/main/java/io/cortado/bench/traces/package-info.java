/** Request traces that others recorded, and made ones in their image. */
@NullMarked
package io.cortado.bench.traces;

import org.jspecify.annotations.NullMarked;
