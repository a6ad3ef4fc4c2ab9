package io.cortado.text.jinja;

import java.util.List;

/** What lazy filters give: it can be looped over once, and has neither length nor items. */
final class Generator {
    private List<Object> items;

    Generator(List<Object> items) {
        this.items = items;
    }

    List<Object> take() {
        List<Object> taken = items;
        items = List.of();
        return taken;
    }
}
