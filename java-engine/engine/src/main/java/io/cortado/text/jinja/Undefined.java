package io.cortado.text.jinja;

/**
 * A name, attribute or item that is not there: empty when printed or looped over, an error in any
 * other use.
 */
record Undefined(String reason) {
    TemplateException error() {
        return new TemplateException(reason);
    }
}
