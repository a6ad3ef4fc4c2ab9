/** Checks the records of {@code @StructuredOutput} at compile time; needs nothing of the engine. */
@NullMarked
package io.cortado.processor;

import org.jspecify.annotations.NullMarked;
