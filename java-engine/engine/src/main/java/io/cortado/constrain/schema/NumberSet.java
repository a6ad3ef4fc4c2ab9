package io.cortado.constrain.schema;

import io.cortado.constrain.Regex;

/**
 * Numbers by how they are written: kept apart, since most conditions leave only the first.
 *
 * @param plain without an exponent
 * @param scientific with one
 */
record NumberSet(Regex plain, Regex scientific) {}
