/** What an exchange between ranks takes, over UCX and within a process. */
@NullMarked
package io.cortado.bench.exchange;

import org.jspecify.annotations.NullMarked;
