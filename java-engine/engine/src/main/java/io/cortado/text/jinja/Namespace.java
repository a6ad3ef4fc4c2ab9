package io.cortado.text.jinja;

import java.util.LinkedHashMap;
import java.util.Map;

/** The one kind of object that a template may assign to, also from inside a loop. */
final class Namespace {
    private final Map<String, Object> attributes = new LinkedHashMap<>();

    Map<String, Object> attributes() {
        return attributes;
    }
}
