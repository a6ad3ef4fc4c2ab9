/**
 * Mixtures of experts: how tokens choose them and how often, and the step that computes the chosen
 * ones, on the model's device or on the CPU beside it.
 */
@NullMarked
package io.cortado.moe;

import org.jspecify.annotations.NullMarked;
