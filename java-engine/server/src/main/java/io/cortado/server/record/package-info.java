/** Recordings of what an engine was asked and has answered, and running them again. */
@NullMarked
package io.cortado.server.record;

import org.jspecify.annotations.NullMarked;
