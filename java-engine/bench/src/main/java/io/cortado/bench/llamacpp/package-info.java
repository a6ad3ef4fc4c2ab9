/**
 * The comparison with llama.cpp: the same random weights in both formats, the same prompts, one
 * run.
 */
@NullMarked
package io.cortado.bench.llamacpp;

import org.jspecify.annotations.NullMarked;
