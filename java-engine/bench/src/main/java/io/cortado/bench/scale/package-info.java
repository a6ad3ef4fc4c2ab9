/** What layouts of many GPUs would give, by counting bytes and operations. Nothing is measured. */
@NullMarked
package io.cortado.bench.scale;

import org.jspecify.annotations.NullMarked;
