package io.cortado.server;

import io.cortado.api.Constraint;
import io.cortado.api.Constraint.StructuralTags.Structure;
import io.cortado.api.EngineException;
import io.cortado.api.JsonStyle;
import io.cortado.text.HermesCalls;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * Which tools an answer may call. Calls are of the form of Hermes, and what an answer may be is a
 * constraint: a call names one of these tools and its arguments are of the tool's schema, strict or
 * not.
 *
 * @param isNamed the request names the one tool to call
 */
record ToolChoice(Constraint constraint, boolean isNamed) {
    static final String FIELD = "tool_choice";

    private static final int MAX_TOOLS = 128;
    private static final Set<String> WORDS = Set.of("none", "auto", "required");
    private static final String NO_PARAMETERS =
            "{\"type\":\"object\",\"properties\":{},\"additionalProperties\":false}";

    /**
     * What is asked for.
     *
     * @param isRequired the answer is calls
     */
    private record Mode(boolean isRequired, boolean isNamed, Set<String> names) {}

    /** Null where the answer calls no tool: it is text, whatever it looks like. */
    static @Nullable ToolChoice read(Fields fields) {
        boolean isParallel = fields.bool("parallel_tool_calls", true);
        List<JsonNode> tools = fields.array("tools", MAX_TOOLS);
        Mode mode = mode(fields, names(tools));
        if (mode == null) {
            return null;
        }
        List<Structure> structures = new ArrayList<>();
        for (int i = 0; i < tools.size(); i++) {
            Fields function = function(fields.element("tools", i, tools.get(i)));
            if (mode.names.contains(function.requiredString("name"))) {
                structures.add(structure(function));
            }
        }
        boolean stopsAfterFirst = mode.isNamed || !isParallel;
        try {
            return new ToolChoice(
                    new Constraint.StructuralTags(
                            structures,
                            List.of(HermesCalls.OPEN),
                            mode.isRequired,
                            stopsAfterFirst,
                            JsonStyle.DEFAULT),
                    mode.isNamed);
        } catch (EngineException e) {
            throw ApiError.invalid("tools", String.valueOf(e.getMessage()));
        }
    }

    private static Set<String> names(List<JsonNode> tools) {
        Set<String> names = new HashSet<>();
        for (int i = 0; i < tools.size(); i++) {
            String name = tools.get(i).path("function").path("name").asString("");
            if (!names.add(name)) {
                String path = "tools[" + i + "].function.name";
                throw ApiError.invalid(path, path + " must differ from those before: " + name);
            }
        }
        return names;
    }

    private static Fields function(Fields tool) {
        Fields function = tool.object("function");
        if (function == null) {
            throw ApiError.invalid(tool.path("function"), tool.path("function") + " is required.");
        }
        return function;
    }

    private static Structure structure(Fields function) {
        String name = function.requiredString("name");
        Fields parameters = function.object("parameters");
        String schema = NO_PARAMETERS;
        if (parameters != null && !parameters.raw().isEmpty()) {
            schema = objectSchema(parameters);
        }
        return new Structure(
                HermesCalls.OPEN + "\n{\"name\": \"" + name + "\", \"arguments\": ",
                schema,
                "}\n" + HermesCalls.CLOSE);
    }

    /** Arguments are an object, whether the schema says so or not. */
    private static String objectSchema(Fields parameters) {
        JsonNode type = parameters.node("type");
        if (type == null) {
            ObjectNode copy = parameters.raw().deepCopy();
            return copy.put("type", "object").toString();
        }
        if (!type.isString() || !type.stringValue().equals("object")) {
            throw ApiError.invalid(
                    parameters.path("type"), parameters.path("type") + " must be \"object\".");
        }
        return parameters.raw().toString();
    }

    private static @Nullable Mode mode(Fields fields, Set<String> names) {
        JsonNode choice = fields.node(FIELD);
        if (choice == null || choice.isString()) {
            String word = choice == null ? "auto" : fields.oneOf(FIELD, WORDS);
            if ("required".equals(word) && names.isEmpty()) {
                throw needsTools();
            }
            return "none".equals(word) || names.isEmpty()
                    ? null
                    : new Mode("required".equals(word), false, names);
        }
        Fields asked = fields.object(FIELD);
        if (asked == null || names.isEmpty()) {
            throw needsTools();
        }
        return switch (asked.requiredString("type")) {
            case "function" -> new Mode(true, true, Set.of(known(function(asked), names)));
            case "allowed_tools" -> allowed(asked, names);
            default ->
                    throw ApiError.unsupported(
                            asked.path("type"), "\"function\" and \"allowed_tools\" are taken");
        };
    }

    private static Mode allowed(Fields asked, Set<String> names) {
        Fields form = asked.has("allowed_tools") ? asked.object("allowed_tools") : asked;
        if (form == null) {
            throw needsTools();
        }
        String mode = form.oneOf("mode", Set.of("auto", "required"));
        Set<String> allowed = new HashSet<>();
        List<JsonNode> tools = form.array("tools", MAX_TOOLS);
        for (int i = 0; i < tools.size(); i++) {
            Fields tool = form.element("tools", i, tools.get(i));
            allowed.add(known(tool.has("function") ? function(tool) : tool, names));
        }
        if (allowed.isEmpty()) {
            throw ApiError.invalid(form.path("tools"), form.path("tools") + " must name a tool.");
        }
        return new Mode("required".equals(mode), false, allowed);
    }

    private static String known(Fields named, Set<String> names) {
        String name = named.requiredString("name");
        if (!names.contains(name)) {
            throw ApiError.invalid(named.path("name"), named.path("name") + " is none of tools.");
        }
        return name;
    }

    private static ApiError needsTools() {
        return ApiError.invalid(FIELD, "tool_choice needs tools.");
    }
}
