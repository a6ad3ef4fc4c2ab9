package io.cortado.server;

import io.cortado.api.Constraint;
import io.cortado.api.EngineException;
import io.cortado.api.JsonStyle;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * The fields that say what an output has to be: OpenAI's {@code response_format}, vLLM's {@code
 * structured_outputs} and its older {@code guided_*}, llama.cpp's {@code grammar} and {@code
 * json_schema}. At most one may be there.
 */
final class ConstraintFields {
    private static final int MAX_CHOICES = 100_000;

    /**
     * What was asked for.
     *
     * @param path of the field, for errors
     */
    record Read(Constraint constraint, String path) {}

    private @Nullable Read found;

    /** Of the JSON that {@code structured_outputs} asks for. */
    private JsonStyle style = JsonStyle.DEFAULT;

    private ConstraintFields() {}

    /** Null where the output may be anything. */
    static @Nullable Read read(Fields fields) {
        ConstraintFields reader = new ConstraintFields();
        reader.responseFormat(fields);
        Fields vllm = fields.object("structured_outputs");
        if (vllm != null) {
            reader.structuredOutputs(vllm);
            reader.style = JsonStyle.DEFAULT;
        }
        reader.schema(fields, "guided_json");
        reader.texts(fields, "guided_regex", "guided_choice", "guided_grammar");
        reader.schema(fields, "json_schema");
        String grammar = fields.string("grammar");
        if (grammar != null) {
            reader.found(fields.path("grammar"), new Constraint.Grammar(grammar));
        }
        return reader.found;
    }

    private void found(String path, Constraint constraint) {
        Read before = found;
        if (before != null) {
            throw ApiError.invalid(path, path + " and " + before.path() + " exclude each other.");
        }
        found = new Read(constraint, path);
    }

    private void responseFormat(Fields fields) {
        Fields format = fields.object("response_format");
        if (format == null) {
            return;
        }
        String type =
                format.oneOf(
                        "type",
                        Set.of("text", "json_object", "json_schema", "grammar", "structural_tag"));
        switch (type) {
            case null ->
                    throw ApiError.invalid(
                            "response_format.type", "response_format.type is required.");
            case "text" -> {}
            case "json_object" -> {
                if (format.has("schema")) { // llama.cpp's
                    schema(format, "schema");
                } else {
                    found("response_format", new Constraint.JsonObject(style));
                }
            }
            case "json_schema" -> namedSchema(format);
            case "structural_tag" ->
                    found("response_format", StructuralTagFields.read(format, style));
            default ->
                    throw ApiError.unsupported(
                            "response_format.type",
                            "text, json_object, json_schema and structural_tag are taken;"
                                    + " structured_outputs takes a grammar");
        }
    }

    /** Strict or not is the same: all of a schema is enforced, or it is refused. */
    private void namedSchema(Fields format) {
        Fields named = format.object("json_schema");
        if (named == null) {
            throw ApiError.invalid(
                    "response_format.json_schema", "response_format.json_schema is required.");
        }
        named.bool("strict");
        named.string("name");
        named.string("description");
        if (!named.has("schema")) {
            throw ApiError.invalid(named.path("schema"), named.path("schema") + " is required.");
        }
        schema(named, "schema");
    }

    private void structuredOutputs(Fields asked) {
        if (asked.has("whitespace_pattern")) {
            throw ApiError.unsupported(asked.path("whitespace_pattern"), "leave it out");
        }
        if (asked.bool("disable_any_whitespace", false)) {
            style = style.whitespace(JsonStyle.Whitespace.NONE);
        }
        style = style.closedObjects(asked.bool("disable_additional_properties", false));
        asked.bool("disable_fallback"); // there is none
        schema(asked, "json");
        texts(asked, "regex", "choice", "grammar");
        if (asked.bool("json_object", false)) {
            found(asked.path("json_object"), new Constraint.JsonObject(style));
        }
        structuralTag(asked);
        asked.refuseUnknown();
        if (found == null) {
            throw ApiError.invalid(
                    "structured_outputs",
                    "structured_outputs must have one of json, regex, choice, grammar,"
                            + " json_object and structural_tag.");
        }
        Constraint constraint = found.constraint;
        boolean isJson =
                constraint instanceof Constraint.JsonSchema
                        || constraint instanceof Constraint.JsonObject
                        || constraint instanceof Constraint.StructuralTags;
        if (!isJson && !style.equals(JsonStyle.DEFAULT)) {
            throw ApiError.invalid(
                    "structured_outputs",
                    "structured_outputs.disable_any_whitespace and disable_additional_properties"
                            + " are about JSON: they cannot go with regex, choice or grammar.");
        }
    }

    /** An object, or as in vLLM a text that is one as JSON. */
    private void structuralTag(Fields asked) {
        String name = "structural_tag";
        JsonNode node = asked.node(name);
        if (node == null) {
            return;
        }
        JsonNode tag = node.isString() ? Json.tryRead(node.stringValue()) : node;
        if (!(tag instanceof ObjectNode object)) {
            throw ApiError.invalid(
                    asked.path(name), asked.path(name) + " must be an object, or one as a string.");
        }
        Fields fields = new Fields(object, asked.path(name) + ".");
        found(asked.path(name), StructuralTagFields.read(fields, style));
    }

    private void texts(Fields fields, String regex, String choice, String grammar) {
        String pattern = fields.string(regex);
        if (pattern != null) {
            found(fields.path(regex), new Constraint.Regex(pattern));
        }
        if (fields.has(choice)) {
            List<String> texts = TokenFields.strings(fields, choice, MAX_CHOICES);
            try {
                found(fields.path(choice), new Constraint.Choice(texts));
            } catch (EngineException e) {
                throw ApiError.invalid(fields.path(choice), String.valueOf(e.getMessage()));
            }
        }
        String text = fields.string(grammar);
        if (text != null) {
            found(fields.path(grammar), new Constraint.Grammar(text));
        }
    }

    /** A schema as JSON, or as a text that is JSON. */
    private void schema(Fields fields, String name) {
        JsonNode node = fields.node(name);
        if (node == null) {
            return;
        }
        fields.require(
                node.isObject() || node.isBoolean() || node.isString(), name, "a schema", node);
        String schema = node.isString() ? node.stringValue() : node.toString();
        found(fields.path(name), new Constraint.JsonSchema(schema, style));
    }
}
