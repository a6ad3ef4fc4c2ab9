package io.cortado.server;

import io.cortado.api.Constraint;
import io.cortado.api.Constraint.StructuralTags.Structure;
import io.cortado.api.EngineException;
import io.cortado.api.JsonStyle;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import tools.jackson.databind.JsonNode;

/**
 * Structural tags in vLLM's two forms: {@code structures} and {@code triggers}, and the newer
 * {@code format}, of which {@code triggered_tags} around JSON Schemas are taken.
 */
final class StructuralTagFields {
    private static final int MAX_TAGS = 10_000;

    private StructuralTagFields() {}

    /** {@code asked} holds {@code type} too, which its reader may know already. */
    static Constraint read(Fields asked, JsonStyle style) {
        asked.oneOf("type", Set.of("structural_tag"));
        Fields format = asked.object("format");
        Constraint made = format == null ? structures(asked, style) : triggered(format, style);
        asked.refuseUnknown();
        return made;
    }

    private static Constraint structures(Fields asked, JsonStyle style) {
        List<Structure> structures = new ArrayList<>();
        List<JsonNode> nodes = asked.array("structures", MAX_TAGS);
        for (int i = 0; i < nodes.size(); i++) {
            Fields each = asked.element("structures", i, nodes.get(i));
            structures.add(
                    new Structure(
                            each.requiredString("begin"),
                            schema(each, "schema"),
                            each.requiredString("end")));
            each.refuseUnknown();
        }
        return made(asked, structures, style);
    }

    private static Constraint triggered(Fields format, JsonStyle style) {
        String type = format.requiredString("type");
        if (!type.equals("triggered_tags")) {
            throw ApiError.unsupported(format.path("type"), "only triggered_tags is taken");
        }
        if (!format.array("excludes", MAX_TAGS).isEmpty()) {
            throw ApiError.unsupported(format.path("excludes"), "leave it out");
        }
        List<Structure> structures = new ArrayList<>();
        List<JsonNode> nodes = format.array("tags", MAX_TAGS);
        for (int i = 0; i < nodes.size(); i++) {
            Fields each = format.element("tags", i, nodes.get(i));
            each.oneOf("type", Set.of("tag"));
            structures.add(
                    new Structure(
                            each.requiredString("begin"),
                            content(each),
                            each.requiredString("end")));
            each.refuseUnknown();
        }
        Constraint made = made(format, structures, style);
        format.refuseUnknown();
        return made;
    }

    private static String content(Fields tag) {
        Fields content = tag.object("content");
        if (content == null) {
            throw ApiError.invalid(tag.path("content"), tag.path("content") + " is required.");
        }
        if (!content.requiredString("type").equals("json_schema")) {
            throw ApiError.unsupported(content.path("type"), "only json_schema is taken");
        }
        String schema = schema(content, "json_schema");
        content.refuseUnknown();
        return schema;
    }

    private static String schema(Fields fields, String name) {
        JsonNode node = fields.node(name);
        if (node == null) {
            throw ApiError.invalid(fields.path(name), fields.path(name) + " is required.");
        }
        fields.require(node.isObject() || node.isBoolean(), name, "a schema", node);
        return node.toString();
    }

    private static Constraint made(Fields fields, List<Structure> structures, JsonStyle style) {
        List<String> triggers = TokenFields.strings(fields, "triggers", MAX_TAGS);
        boolean atLeastOne = fields.bool("at_least_one", false);
        boolean stopAfterFirst = fields.bool("stop_after_first", false);
        try {
            return new Constraint.StructuralTags(
                    structures, triggers, atLeastOne, stopAfterFirst, style);
        } catch (EngineException e) {
            throw ApiError.invalid(fields.path("triggers"), String.valueOf(e.getMessage()));
        }
    }
}
