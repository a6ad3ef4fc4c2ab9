/**
 * What layouts of a model with experts over many devices give, by counting bytes and operations.
 * Nothing is measured here, and nothing of the engine is known.
 */
@NullMarked
package io.cortado.layout;

import org.jspecify.annotations.NullMarked;
