/**
 * What a caller sees: requests, sampling parameters, events and results as records and sealed
 * types, and the {@link io.cortado.api.Engine} facade. Imports nothing of ours.
 */
@NullMarked
package io.cortado.api;

import org.jspecify.annotations.NullMarked;
