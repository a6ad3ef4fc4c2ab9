package io.cortado.constrain.schema;

import io.cortado.constrain.Regex;
import java.util.Set;

/**
 * A set of keys.
 *
 * @param names these keys, or all but these
 * @param isNames whether it is these
 * @param body what the keys must match that are not named; the language of no string where it is
 *     these
 */
record KeySet(Set<String> names, boolean isNames, Regex body) {}
