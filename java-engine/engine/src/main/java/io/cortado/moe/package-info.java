/** Mixtures of experts: how tokens choose them, and the step that computes the chosen ones. */
@NullMarked
package io.cortado.moe;

import org.jspecify.annotations.NullMarked;
