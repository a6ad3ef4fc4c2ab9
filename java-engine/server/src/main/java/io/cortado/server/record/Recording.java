package io.cortado.server.record;

import io.cortado.api.GenerationRequest;
import io.cortado.api.Prompt;
import io.cortado.server.ReportJson;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * A recording as it was written.
 *
 * @param requests by arrival
 */
public record Recording(RecordHeader header, List<RecordedRequest> requests) {
    public Recording {
        requests = List.copyOf(requests);
    }

    /**
     * Reads a file. A last line that is cut, as of a process that was killed, is left out.
     *
     * @throws IOException if the file is no recording, with the line
     */
    public static Recording read(Path file) throws IOException {
        Map<Long, RecordedRequest> requests = new LinkedHashMap<>();
        try (BufferedReader lines = Files.newBufferedReader(file)) {
            int number = 1;
            String line = lines.readLine();
            RecordHeader header = RecordHeader.read(parse(line == null ? "" : line));
            for (line = lines.readLine(); line != null; ) {
                number++;
                String next = lines.readLine();
                try {
                    take(requests, parse(line));
                } catch (IllegalArgumentException | JacksonException e) {
                    if (next != null || !(e instanceof JacksonException)) {
                        throw new IOException(
                                file + " line " + number + " is no request: " + e.getMessage(), e);
                    }
                }
                line = next;
            }
            List<RecordedRequest> all = new ArrayList<>(requests.values());
            all.sort(Comparator.comparingDouble(RecordedRequest::arrivalMillis));
            return new Recording(header, all);
        } catch (IllegalArgumentException | JacksonException e) {
            throw new IOException(file + " is no recording: " + e.getMessage(), e);
        }
    }

    private static JsonNode parse(String line) {
        return JsonMapper.shared().readTree(line);
    }

    private static void take(Map<Long, RecordedRequest> requests, JsonNode node) {
        if (node.has("request")) {
            RecordedRequest request = request(node);
            requests.put(request.number(), request);
            return;
        }
        long number = ParamsJson.required(node, "result").longValue();
        RecordedRequest request = requests.get(number);
        if (request == null) {
            throw new IllegalArgumentException("a result comes before its request: " + number);
        }
        requests.put(number, request.outcome(outcome(node)));
    }

    private static RecordedRequest request(JsonNode node) {
        return new RecordedRequest(
                node.path("request").longValue(),
                ParamsJson.required(node, "at_ms").doubleValue(),
                new GenerationRequest(
                        new Prompt.Tokens(ints(ParamsJson.required(node, "prompt_ids"))),
                        ParamsJson.params(ParamsJson.required(node, "params")),
                        ParamsJson.required(node, "echo").booleanValue(),
                        ParamsJson.scheduling(ParamsJson.required(node, "scheduling")),
                        ParamsJson.required(node, "id").stringValue()),
                null);
    }

    private static RecordedRequest.Outcome outcome(JsonNode node) {
        List<RecordedRequest.Output> outputs = new ArrayList<>();
        for (JsonNode output : ParamsJson.required(node, "outputs")) {
            outputs.add(
                    new RecordedRequest.Output(
                            ints(ParamsJson.required(output, "ids")),
                            ParamsJson.required(output, "finish").stringValue()));
        }
        JsonNode error = node.path("error");
        JsonNode report = node.path("report");
        return new RecordedRequest.Outcome(
                outputs,
                error.isString() ? error.stringValue() : null,
                report.isObject() ? ReportJson.read(report) : null);
    }

    private static int[] ints(JsonNode array) {
        return array.valueStream().mapToInt(JsonNode::intValue).toArray();
    }
}
