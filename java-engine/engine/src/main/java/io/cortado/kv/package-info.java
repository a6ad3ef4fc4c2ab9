/** Blocks of the paged KV cache: integers only, no native memory. */
@NullMarked
package io.cortado.kv;

import org.jspecify.annotations.NullMarked;
