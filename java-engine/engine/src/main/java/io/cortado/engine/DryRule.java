package io.cortado.engine;

import io.cortado.api.Dry;

/** A request's DRY with what its breakers are in the model's tokens. */
record DryRule(Dry dry, DryBreakers breakers) {}
