package io.cortado.server;

import io.cortado.api.Constraint;
import io.cortado.api.JsonStyle;
import tools.jackson.databind.node.ObjectNode;

/** Structural tags that are given as a text, as on a command line. */
public final class StructuralTagText {
    private StructuralTagText() {}

    /**
     * @param json as {@code structural_tag} of {@code structured_outputs}
     * @throws IllegalArgumentException with the place, if it is not of that form
     */
    public static Constraint read(String json) {
        if (!(Json.tryRead(json) instanceof ObjectNode object)) {
            throw new IllegalArgumentException("a structural tag must be a JSON object");
        }
        try {
            return StructuralTagFields.read(new Fields(object, ""), JsonStyle.DEFAULT);
        } catch (ApiError e) {
            throw new IllegalArgumentException(e.getMessage(), e);
        }
    }
}
