/** Devices, streams, buffers and kernels: the native library as Java objects; owns every arena. */
@NullMarked
package io.cortado.device;

import org.jspecify.annotations.NullMarked;
