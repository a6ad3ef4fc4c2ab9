/**
 * Text on both sides of the model: tokenizers, chat templates, incremental detokenizing and stop
 * strings.
 */
@NullMarked
package io.cortado.text;

import org.jspecify.annotations.NullMarked;
