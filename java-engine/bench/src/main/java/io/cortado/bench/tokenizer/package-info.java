/** Text, vocabularies and other tokenizers for {@code bench tokenizer}. */
@NullMarked
package io.cortado.bench.tokenizer;

import org.jspecify.annotations.NullMarked;
