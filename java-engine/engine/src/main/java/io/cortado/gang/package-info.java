/**
 * Ranks that run one model together: transports between them, and collectives in streams. Every
 * rank enters every exchange, every wait has a deadline, and what one rank loses all lose.
 */
@NullMarked
package io.cortado.gang;

import org.jspecify.annotations.NullMarked;
