package io.cortado.constrain.schema;

import io.cortado.constrain.GrammarException;
import io.cortado.constrain.GrammarException.Reason;
import tools.jackson.databind.JsonNode;

/**
 * A schema within a resource. Equal where it is the same node.
 *
 * @param pointer from the document's root, for messages
 */
record Place(Resource resource, JsonNode node, String pointer) {
    /** By identity: equal nodes in different places are different schemas. */
    @SuppressWarnings("ReferenceEquality")
    @Override
    public boolean equals(Object other) {
        return other instanceof Place that && node == that.node && resource == that.resource;
    }

    @Override
    public int hashCode() {
        return System.identityHashCode(node);
    }

    Dialect dialect() {
        return resource.dialect;
    }

    Place child(String keyword) {
        return new Place(resource, node.path(keyword), pointer + "/" + escaped(keyword));
    }

    Place child(String keyword, String name) {
        return child(keyword).child(name);
    }

    Place child(String keyword, int index) {
        Place list = child(keyword);
        return new Place(resource, list.node.path(index), list.pointer + "/" + index);
    }

    static String escaped(String token) {
        return token.replace("~", "~0").replace("/", "~1");
    }

    GrammarException syntax(String keyword, String message) {
        return new GrammarException(Reason.SYNTAX, at(keyword), message);
    }

    GrammarException unsupported(String keyword, String message) {
        return new GrammarException(Reason.UNSUPPORTED, at(keyword), message);
    }

    GrammarException limit(String keyword, String message) {
        return new GrammarException(Reason.LIMIT, at(keyword), message);
    }

    String at(String keyword) {
        return keyword.isEmpty() ? pointer : pointer + "/" + escaped(keyword);
    }
}
