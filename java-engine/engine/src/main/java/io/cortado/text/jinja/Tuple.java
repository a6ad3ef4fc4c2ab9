package io.cortado.text.jinja;

import java.util.List;

/** Python's tuple, which prints and compares otherwise than a list. */
record Tuple(List<Object> items) {}
