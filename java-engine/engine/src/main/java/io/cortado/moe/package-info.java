/**
 * Mixtures of experts: how tokens choose them and how often, and the step that computes the chosen
 * ones, on the model's device or on the CPU beside it; and how experts are placed on ranks so that
 * all have about the same to do.
 */
@NullMarked
package io.cortado.moe;

import org.jspecify.annotations.NullMarked;
