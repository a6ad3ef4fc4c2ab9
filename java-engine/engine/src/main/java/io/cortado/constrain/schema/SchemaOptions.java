package io.cortado.constrain.schema;

import java.util.Map;

/**
 * How a schema is read and its values written.
 *
 * @param draft of schemas that name none by {@code $schema}
 * @param formats what {@code format} means
 * @param order of an object's properties
 * @param whitespace between tokens
 * @param closedObjects whether objects that list properties and say nothing of others have no
 *     others; the specification says they may
 * @param documents the texts of other schemas by their URI, for references
 */
public record SchemaOptions(
        Draft draft,
        Formats formats,
        PropertyOrder order,
        Whitespace whitespace,
        boolean closedObjects,
        Map<String, String> documents) {
    /** What {@code format} means; unknown ones never mean anything. */
    public enum Formats {
        /** Known ones are enforced. */
        ENFORCED,
        /** As the specification has it without the vocabulary that asserts them. */
        ANNOTATIONS
    }

    /** In what order an object's properties come. */
    public enum PropertyOrder {
        ANY,
        /** As the schema lists them, then those that it does not. */
        DECLARED
    }

    /** What may stand between tokens. */
    public enum Whitespace {
        NONE,
        /** A space, or a line end and up to 20 spaces or tabs; not before a comma or colon. */
        BOUNDED
    }

    public static final SchemaOptions DEFAULT =
            new SchemaOptions(
                    Draft.DRAFT_2020_12,
                    Formats.ENFORCED,
                    PropertyOrder.ANY,
                    Whitespace.BOUNDED,
                    false,
                    Map.of());

    public SchemaOptions {
        documents = Map.copyOf(documents);
    }

    public SchemaOptions withFormats(Formats newFormats) {
        return new SchemaOptions(draft, newFormats, order, whitespace, closedObjects, documents);
    }

    public SchemaOptions withOrder(PropertyOrder newOrder) {
        return new SchemaOptions(draft, formats, newOrder, whitespace, closedObjects, documents);
    }

    public SchemaOptions withWhitespace(Whitespace newWhitespace) {
        return new SchemaOptions(draft, formats, order, newWhitespace, closedObjects, documents);
    }

    public SchemaOptions withDraft(Draft newDraft) {
        return new SchemaOptions(newDraft, formats, order, whitespace, closedObjects, documents);
    }

    public SchemaOptions withClosedObjects(boolean isClosed) {
        return new SchemaOptions(draft, formats, order, whitespace, isClosed, documents);
    }

    public SchemaOptions withDocuments(Map<String, String> newDocuments) {
        return new SchemaOptions(draft, formats, order, whitespace, closedObjects, newDocuments);
    }
}
