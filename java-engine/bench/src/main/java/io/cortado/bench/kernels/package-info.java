/** Cases of {@code bench kernels}: each kernel's bytes, operations and rotating random inputs. */
@NullMarked
package io.cortado.bench.kernels;

import org.jspecify.annotations.NullMarked;
