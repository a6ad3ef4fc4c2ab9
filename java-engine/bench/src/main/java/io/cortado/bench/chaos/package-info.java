/** A server process under mixed load and ill-treatment, and what must hold all the same. */
@NullMarked
package io.cortado.bench.chaos;

import org.jspecify.annotations.NullMarked;
