package io.cortado.api;

/**
 * How the JSON of a constraint is written, and what its schema leaves open.
 *
 * @param closedObjects whether objects that list properties and say nothing of others have no
 *     others; JSON Schema says they may
 */
public record JsonStyle(Whitespace whitespace, PropertyOrder order, boolean closedObjects) {
    /** What may stand between a value's parts. */
    public enum Whitespace {
        /** Nothing. */
        NONE,
        /** A space, or a line end and up to 20 spaces or tabs. */
        BOUNDED
    }

    /** In what order an object's properties come. */
    public enum PropertyOrder {
        /** As the schema lists them, then those that it does not: as OpenAI has it. */
        DECLARED,
        ANY
    }

    public static final JsonStyle DEFAULT =
            new JsonStyle(Whitespace.BOUNDED, PropertyOrder.DECLARED, false);

    public JsonStyle whitespace(Whitespace value) {
        return new JsonStyle(value, order, closedObjects);
    }

    public JsonStyle order(PropertyOrder value) {
        return new JsonStyle(whitespace, value, closedObjects);
    }

    public JsonStyle closedObjects(boolean value) {
        return new JsonStyle(whitespace, order, value);
    }
}
