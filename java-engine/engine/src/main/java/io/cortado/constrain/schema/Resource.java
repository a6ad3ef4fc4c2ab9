package io.cortado.constrain.schema;

import java.net.URI;
import java.util.HashMap;
import java.util.Map;
import tools.jackson.databind.JsonNode;

/** A schema with a URI of its own: a document, or a part of one that an {@code $id} names. */
final class Resource {
    final URI uri;
    final JsonNode root;

    /** From the document's root, for messages. */
    final String pointer;

    final Dialect dialect;
    final Map<String, Place> anchors = new HashMap<>();

    /** Those that a dynamic reference finds; of 2019-09, the root under the empty name. */
    final Map<String, Place> dynamicAnchors = new HashMap<>();

    Resource(URI uri, JsonNode root, String pointer, Dialect dialect) {
        this.uri = uri;
        this.root = root;
        this.pointer = pointer;
        this.dialect = dialect;
    }

    Place place() {
        return new Place(this, root, pointer);
    }
}
