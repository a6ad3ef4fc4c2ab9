/** The bundled demo model (see README there): its files as resources, laid out as a folder. */
@NullMarked
package io.cortado.demo;

import org.jspecify.annotations.NullMarked;
