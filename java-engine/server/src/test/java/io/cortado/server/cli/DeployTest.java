package io.cortado.server.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.networknt.schema.Schema;
import com.networknt.schema.SchemaRegistry;
import com.networknt.schema.SpecificationVersion;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import picocli.CommandLine;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.MappingIterator;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;
import tools.jackson.dataformat.yaml.YAMLMapper;

/** The manifests in deploy/ against schemas of their kinds, the command line, and each other. */
class DeployTest {
    private static final Path DEPLOY = Path.of(System.getProperty("cortado.root"), "deploy");
    private static final SchemaRegistry REGISTRY =
            SchemaRegistry.withDefaultDialect(SpecificationVersion.DRAFT_2020_12);
    private static final YAMLMapper YAML = YAMLMapper.builder().build();

    /** All documents, by kind; a kind has one. */
    private static Map<String, JsonNode> documents() throws IOException {
        Map<String, JsonNode> found = new HashMap<>();
        try (Stream<Path> files = Files.walk(DEPLOY)) {
            for (Path file : files.filter(each -> each.toString().endsWith(".yaml")).toList()) {
                try (MappingIterator<JsonNode> each =
                        YAML.readerFor(JsonNode.class).readValues(file.toFile())) {
                    each.readAll().forEach(node -> found.put(kind(node), node));
                }
            }
        }
        return found;
    }

    private static JsonNode document(String kind) throws IOException {
        return Objects.requireNonNull(documents().get(kind), kind);
    }

    private static String kind(JsonNode document) {
        return document.get("kind").stringValue();
    }

    /** What the schema of its kind says against a document. */
    private static List<String> faults(JsonNode document) throws IOException {
        String text = Files.readString(DEPLOY.resolve("schemas/" + kind(document) + ".json"));
        Schema schema = REGISTRY.getSchema(JsonMapper.shared().readTree(text));
        List<String> faults = new ArrayList<>();
        schema.validate(document).forEach(fault -> faults.add(fault.toString()));
        return faults;
    }

    @Test
    void allManifestsAreOfTheirSchemas() throws Exception {
        Map<String, JsonNode> documents = documents();
        assertEquals(
                Set.of(
                        "LeaderWorkerSet",
                        "Service",
                        "InferencePool",
                        "HTTPRoute",
                        "EndpointPickerConfig"),
                documents.keySet());
        for (JsonNode document : documents.values()) {
            assertEquals(List.of(), faults(document), kind(document));
        }
    }

    /** A fault of each sort that a schema is there for: the checks are no decoration. */
    @ParameterizedTest
    @CsvSource({
        "LeaderWorkerSet, /spec/leaderWorkerTemplate, size, '\"4\"'",
        "LeaderWorkerSet, /spec/leaderWorkerTemplate, restartPolicy, '\"Sometimes\"'",
        "LeaderWorkerSet, /spec/leaderWorkerTemplate/workerTemplate, sepc, '{}'",
        "LeaderWorkerSet, /spec/leaderWorkerTemplate, workerTemplate, ",
        "LeaderWorkerSet, /spec/leaderWorkerTemplate/leaderTemplate/spec, containers, ",
        "LeaderWorkerSet, /spec/leaderWorkerTemplate/leaderTemplate/spec/containers/0, args, '[8]'",
        "LeaderWorkerSet, /spec/leaderWorkerTemplate/leaderTemplate/spec/containers/0/readinessProbe/httpGet, port, ",
        "LeaderWorkerSet, '', apiVersion, '\"leaderworkerset.x-k8s.io/v2\"'",
        "InferencePool, /spec, targetPorts, '[{\"number\":70000}]'",
        "InferencePool, /spec, selector, ",
        "InferencePool, /spec/endpointPickerRef, failureMode, '\"FailMaybe\"'",
        "HTTPRoute, /spec/rules/0/matches/0/path, type, '\"Prefix\"'",
        "HTTPRoute, /spec/rules/0/backendRefs/0, name, ",
        "Service, /spec/ports/0, port, 0",
        "Service, /spec, selectors, '{}'",
        "EndpointPickerConfig, /plugins/0, type, '\"queue-scorers\"'",
        "EndpointPickerConfig, '', plugins, "
    })
    void aBrokenManifestIsRefused(String kind, String at, String field, @Nullable String value)
            throws Exception {
        JsonNode document = document(kind).deepCopy();
        ObjectNode place = (ObjectNode) document.at(at);
        if (value == null) {
            assertTrue(place.has(field));
            place.remove(field);
        } else {
            place.set(field, JsonMapper.shared().readTree(value));
        }
        assertFalse(faults(document).isEmpty());
    }

    private static JsonNode template(String name) throws IOException {
        return document("LeaderWorkerSet").at("/spec/leaderWorkerTemplate/" + name);
    }

    private static JsonNode container(String template) throws IOException {
        return template(template).at("/spec/containers/0");
    }

    private static List<String> words(JsonNode array) {
        return array.valueStream().map(JsonNode::stringValue).toList();
    }

    private static Set<String> unknownFlags(List<String> arguments) {
        Set<String> unknown = new TreeSet<>();
        for (String argument : arguments) {
            if (argument.startsWith("-")) {
                unknown.add(argument);
            }
        }
        unknown.removeAll(
                new CommandLine(new ServeCommand()).getCommandSpec().optionsMap().keySet());
        return unknown;
    }

    @ParameterizedTest
    @CsvSource({"leaderTemplate", "workerTemplate"})
    void flagsAreThoseOfServe(String template) throws Exception {
        List<String> command = words(container(template).get("command"));
        assertEquals("serve", command.getLast());
        List<String> arguments = words(container(template).get("args"));
        assertEquals(Set.of(), unknownFlags(arguments));
        new CommandLine(new ServeCommand()).parseArgs(arguments.toArray(String[]::new));
        assertEquals(
                Set.of("--expert-parallel-sizes"),
                unknownFlags(List.of("--expert-parallel-sizes")));
    }

    private static String flag(String template, String name) throws IOException {
        List<String> arguments = words(container(template).get("args"));
        return arguments.get(arguments.indexOf(name) + 1);
    }

    private static int sleep(String template) throws IOException {
        ArrayNode command = (ArrayNode) container(template).at("/lifecycle/preStop/exec/command");
        return Integer.parseInt(command.get(1).stringValue());
    }

    @Test
    void ranksFindEachOtherByWhatTheirGroupIsToldBefore() throws Exception {
        String size = document("LeaderWorkerSet").at("/spec/leaderWorkerTemplate/size").asString();
        for (String template : List.of("leaderTemplate", "workerTemplate")) {
            Map<String, String> env = new HashMap<>();
            container(template)
                    .get("env")
                    .forEach(each ->
                            env.put(
                                    each.get("name").stringValue(),
                                    each.get("value").stringValue()));
            assertEquals(
                    Map.of(
                            "RANK", "$(LWS_WORKER_INDEX)",
                            "WORLD_SIZE", "$(LWS_GROUP_SIZE)",
                            "RENDEZVOUS", "$(LWS_LEADER_ADDRESS):29400"),
                    env);
            assertEquals(size, flag(template, "--expert-parallel-size"));
        }
    }

    @Test
    void aDrainHasTheTimeThatItNeeds() throws Exception {
        int drain = Integer.parseInt(flag("leaderTemplate", "--shutdown-timeout"));
        int stop = sleep("leaderTemplate") + drain;
        for (String template : List.of("leaderTemplate", "workerTemplate")) {
            int grace = template(template).at("/spec/terminationGracePeriodSeconds").intValue();
            assertTrue(grace > stop, template + ": " + grace);
            assertTrue(grace > sleep(template));
        }
        assertTrue(sleep("workerTemplate") >= stop);
    }

    @Test
    void routersReachTheLeadersAndNobodyElse() throws Exception {
        String port = flag("leaderTemplate", "--port");
        JsonNode pool = document("InferencePool");
        JsonNode selector = pool.at("/spec/selector/matchLabels");
        assertEquals(selector, document("Service").at("/spec/selector"));
        assertTrue(matches(selector, template("leaderTemplate")));
        assertFalse(matches(selector, template("workerTemplate")));
        assertEquals(port, pool.at("/spec/targetPorts/0/number").asString());
        assertEquals(port, document("Service").at("/spec/ports/0/targetPort").asString());
        for (String probe : List.of("startupProbe", "livenessProbe", "readinessProbe")) {
            assertEquals(
                    port, container("leaderTemplate").at("/" + probe + "/httpGet/port").asString());
        }
        JsonNode backend = document("HTTPRoute").at("/spec/rules/0/backendRefs/0");
        assertEquals(pool.at("/metadata/name"), backend.get("name"));
        JsonNode picker = document("EndpointPickerConfig");
        Set<String> plugins = new TreeSet<>();
        picker.get("plugins").forEach(each -> plugins.add(each.get("type").stringValue()));
        picker.at("/schedulingProfiles/0/plugins")
                .forEach(each -> assertTrue(plugins.contains(each.get("pluginRef").stringValue())));
    }

    private static boolean matches(JsonNode selector, JsonNode template) {
        JsonNode labels = template.at("/metadata/labels");
        return selector.propertyStream()
                .allMatch(each -> each.getValue().equals(labels.get(each.getKey())));
    }
}
