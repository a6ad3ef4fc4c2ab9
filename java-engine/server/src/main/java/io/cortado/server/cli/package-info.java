/** The command line: serve, chat, generate, tokenize, template, doctor. */
@NullMarked
package io.cortado.server.cli;

import org.jspecify.annotations.NullMarked;
