/** jextract's output for {@code cortado.h} (generated, never edited) and the library's loader. */
package io.cortado.bindings;
