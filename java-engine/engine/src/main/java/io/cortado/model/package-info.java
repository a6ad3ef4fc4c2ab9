/** From a checkpoint's folder to logits: configurations, weights and the decoder definition. */
@NullMarked
package io.cortado.model;

import org.jspecify.annotations.NullMarked;
