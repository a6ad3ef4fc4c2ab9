package io.cortado.text.jinja;

import java.util.List;
import java.util.Map;

/** The arguments of a call, by place and by name. */
record Arguments(List<Object> positional, Map<String, Object> named) {
    static final Arguments NONE = new Arguments(List.of(), Map.of());

    int size() {
        return positional.size() + named.size();
    }

    boolean has(int index, String name) {
        return index < positional.size() || named.containsKey(name);
    }

    Object required(int index, String name) {
        if (!has(index, name)) {
            throw new TemplateException("missing argument: name=" + name);
        }
        return optional(index, name, None.NONE);
    }

    Object optional(int index, String name, Object fallback) {
        if (index < positional.size()) {
            return positional.get(index);
        }
        Object value = named.get(name);
        return value == null ? fallback : value;
    }

    long whole(int index, String name, long fallback) {
        return has(index, name) ? Operators.whole(required(index, name)) : fallback;
    }

    boolean truth(int index, String name, boolean fallback) {
        return has(index, name) ? Operators.isTrue(required(index, name)) : fallback;
    }

    Str text(int index, String name) {
        return Operators.text(required(index, name), name);
    }

    Arguments from(int index) {
        return new Arguments(
                positional.subList(Math.min(index, positional.size()), positional.size()), named);
    }

    /** Refuses more arguments than there are names, and names that are not known. */
    void known(String what, String... names) {
        atMost(names.length, what);
        for (String name : named.keySet()) {
            if (!List.of(names).contains(name)) {
                throw new TemplateException(what + "() has no argument '" + name + "'");
            }
        }
    }

    void noneNamed(String what) {
        if (!named.isEmpty()) {
            throw new TemplateException(what + "() takes no keyword arguments: " + named.keySet());
        }
    }

    void exactly(int count, String what) {
        noneNamed(what);
        if (positional.size() != count) {
            throw new TemplateException(
                    what + "() takes " + count + " arguments: got=" + positional.size());
        }
    }

    void atMost(int count, String what) {
        if (size() > count) {
            throw new TemplateException(
                    "too many arguments: " + what + " takes " + count + " got=" + size());
        }
    }
}
