package io.cortado.server;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import tools.jackson.databind.JsonNode;

/** The tools of a chat request as the template reads them. */
final class ChatTools {
    private static final int MAX_TOOLS = 128;
    private static final Pattern NAME = Pattern.compile("[a-zA-Z0-9_-]{1,64}");

    private ChatTools() {}

    static List<Map<String, Object>> read(Fields fields) {
        List<JsonNode> nodes = fields.array("tools", MAX_TOOLS);
        List<Map<String, Object>> tools = new ArrayList<>(nodes.size());
        for (int i = 0; i < nodes.size(); i++) {
            tools.add(tool(fields.element("tools", i, nodes.get(i))));
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
}
