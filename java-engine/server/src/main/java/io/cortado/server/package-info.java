/** HTTP in, events out: the OpenAI-compatible server. */
@NullMarked
package io.cortado.server;

import org.jspecify.annotations.NullMarked;
