/** The beds of benchmarks that reach into the cache. */
@NullMarked
package io.cortado.kv;

import org.jspecify.annotations.NullMarked;
