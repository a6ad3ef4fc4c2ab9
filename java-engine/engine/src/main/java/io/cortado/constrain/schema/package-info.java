/**
 * JSON Schema as a grammar of {@link io.cortado.constrain}: 2020-12, 2019-09, drafts 7, 6 and 4.
 *
 * <p>{@link io.cortado.constrain.schema.SchemaReader} turns each keyword into a {@code Formula}, a
 * boolean combination of types and of statements about one type, in which {@code not} is already
 * pushed down to the statements. {@link io.cortado.constrain.schema.Shapes} normalises the formula
 * of one value to what it may look like: scalars are one lexeme; objects are classes of keys, each
 * with the formula of its values, keys that are required, counts, and statements that some property
 * must witness; arrays alike. {@code ValueState}, {@code ObjectState} and {@code ArrayState} write
 * them down, one property or element at a time, and never enter a state that {@code Shapes} cannot
 * complete.
 *
 * <p><b>How values are written.</b> Strings: every character as itself; quote, backslash and
 * control characters by their shortest escape; what is not ASCII also as &#92;uXXXX. Numbers
 * without a condition: as JSON has them; under a condition: plain, or with one digit before the
 * point, up to seventeen after it, and an exponent; exponents have up to three digits. Objects
 * never repeat a key. Whitespace: as {@link io.cortado.constrain.schema.SchemaOptions} says.
 */
@NullMarked
package io.cortado.constrain.schema;

import org.jspecify.annotations.NullMarked;
