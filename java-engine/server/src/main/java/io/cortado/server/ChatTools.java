package io.cortado.server;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * The tools of a chat request. They reach the template; reading calls out of the model's text is
 * not built, so a request that could bring a call is refused.
 */
final class ChatTools {
    private static final int MAX_TOOLS = 128;
    private static final Pattern NAME = Pattern.compile("[a-zA-Z0-9_-]{1,64}");
    private static final Set<String> CHOICES = Set.of("none", "auto", "required");

    private ChatTools() {}

    static List<Map<String, Object>> read(Fields fields) {
        fields.bool("parallel_tool_calls");
        List<JsonNode> nodes = fields.array("tools", MAX_TOOLS);
        List<Map<String, Object>> tools = new ArrayList<>(nodes.size());
        for (int i = 0; i < nodes.size(); i++) {
            tools.add(tool(fields.element("tools", i, nodes.get(i))));
        }
        boolean none = choice(fields, !tools.isEmpty());
        if (!tools.isEmpty() && !none) {
            throw ApiError.unsupported(
                    "tools", "calls are not read from the output yet; tool_choice \"none\" is taken");
        }
        return tools;
    }

    private static Map<String, Object> tool(Fields tool) {
        String type = tool.requiredString("type");
        if (!type.equals("function")) {
            throw ApiError.unsupported(tool.path("type"), "only \"function\" is taken");
        }
        Fields function = tool.object("function");
        if (function == null) {
            throw ApiError.invalid(tool.path("function"), tool.path("function") + " is required.");
        }
        if (!NAME.matcher(function.requiredString("name")).matches()) {
            throw ApiError.invalid(
                    function.path("name"), function.path("name") + " must match " + NAME + ".");
        }
        function.string("description");
        function.object("parameters");
        function.bool("strict");
        return Json.plainMap(tool.raw());
    }

    /** True if the model must not call tools. */
    private static boolean choice(Fields fields, boolean hasTools) {
        JsonNode choice = fields.node("tool_choice");
        if (choice == null) {
            return false;
        }
        if (choice.isString()) {
            String word = fields.oneOf("tool_choice", CHOICES);
            if ("required".equals(word) && !hasTools) {
                throw needsTools();
            }
            return "none".equals(word);
        }
        fields.require(choice instanceof ObjectNode, "tool_choice", "a string or an object", choice);
        if (!hasTools) {
            throw needsTools();
        }
        throw ApiError.unsupported("tool_choice", "only \"none\" is taken");
    }

    private static ApiError needsTools() {
        return ApiError.invalid("tool_choice", "tool_choice needs tools.");
    }
}
