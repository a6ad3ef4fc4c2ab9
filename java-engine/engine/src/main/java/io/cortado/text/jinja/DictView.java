package io.cortado.text.jinja;

import java.util.List;

/** What {@code keys()}, {@code values()} and {@code items()} of a mapping give. */
record DictView(String kind, List<Object> items) {}
