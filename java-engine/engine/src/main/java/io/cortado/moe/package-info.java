/**
 * Mixtures of experts: how tokens choose them and how often, and the step that computes the chosen
 * ones, on the model's device, on the CPU beside it or on other ranks; how experts are placed on
 * ranks so that all have about the same to do, and how they move.
 */
@NullMarked
package io.cortado.moe;

import org.jspecify.annotations.NullMarked;
