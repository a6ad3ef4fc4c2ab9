package io.cortado.text.jinja;

import io.cortado.text.Segment;
import java.util.List;

/**
 * A rendered prompt.
 *
 * @param segments the text in pieces: what the template wrote, and what was copied or computed from
 *     variables
 */
public record Rendered(String text, List<Segment> segments) {
    public Rendered {
        segments = List.copyOf(segments);
    }
}
