package io.cortado.api;

import java.lang.annotation.Documented;
import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;

/**
 * A record that answers are made of, to be checked where it is compiled: with {@code
 * cortado-record-processor} on the processor path, whatever {@link RecordType#of} refuses of it and
 * of the records within it is an error of the compiler. Without the processor it does nothing, and
 * records need it for nothing else.
 */
@Documented
@Target(ElementType.TYPE)
@Retention(RetentionPolicy.CLASS)
public @interface StructuredOutput {}
