package io.cortado.text;

import java.util.Objects;

/**
 * A piece of a prompt with its origin. Segments are cut nowhere: words and merges run over their
 * borders.
 */
public record Segment(String text, Origin origin) {
    public Segment {
        Objects.requireNonNull(text, "text");
        Objects.requireNonNull(origin, "origin");
    }

    public static Segment template(String text) {
        return new Segment(text, Origin.TEMPLATE);
    }

    public static Segment user(String text) {
        return new Segment(text, Origin.USER);
    }
}
