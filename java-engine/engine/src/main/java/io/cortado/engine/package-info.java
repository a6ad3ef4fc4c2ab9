/** The engine: scheduler, batch, step loop, and the executor that runs a batch on a device. */
@NullMarked
package io.cortado.engine;

import org.jspecify.annotations.NullMarked;
