package io.cortado.constrain.schema;

/**
 * What a schema's meta-schema says of its keywords.
 *
 * @param validates whether the assertions of the validation vocabulary mean anything
 * @param assertsFormats whether {@code format} is an assertion by the meta-schema itself
 */
record Dialect(Draft draft, boolean validates, boolean assertsFormats) {
    static Dialect of(Draft draft) {
        return new Dialect(draft, true, false);
    }
}
