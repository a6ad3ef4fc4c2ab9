package io.cortado.server.cli;

import io.cortado.api.RequestReport;
import io.cortado.server.ReportJson;
import io.cortado.server.record.RecordedRequest;
import io.cortado.server.record.Recording;
import java.io.IOException;
import java.net.ConnectException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.concurrent.Callable;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** {@code cortado explain [ID]}. */
@Command(
        name = "explain",
        description =
                "Why a request was slow, from what a server (with --debug-requests) or a recording"
                        + " has of it. Without ID: the slowest ones, and why the slowest was.",
        mixinStandardHelpOptions = true,
        sortOptions = false)
final class ExplainCommand implements Callable<Integer> {
    private static final int LISTED = 10;
    private static final Pattern ID = Pattern.compile("[A-Za-z0-9._-]+");

    @Parameters(
            arity = "0..1",
            paramLabel = "ID",
            description = "of an answer, or of the header x-cortado-request-id")
    @Nullable String id;

    @Option(
            names = "--url",
            paramLabel = "URL",
            description = "of the server; default: ${DEFAULT-VALUE}")
    String url = "http://127.0.0.1:8000";

    @Option(
            names = "--api-key",
            paramLabel = "KEY",
            description = "of the server (also from CORTADO_API_KEY)")
    @Nullable String apiKey = System.getenv("CORTADO_API_KEY");

    @Option(
            names = "--record",
            paramLabel = "FILE",
            description = "reads this recording instead of asking a server")
    @Nullable Path record;

    @Override
    public Integer call() throws IOException, InterruptedException {
        List<RequestReport> reports = record != null ? recorded(record) : asked();
        if (id != null) {
            for (RequestReport report : reports) {
                Explanation.of(report).forEach(System.out::println);
            }
            return 0;
        }
        if (reports.isEmpty()) {
            System.out.println("no requests yet");
            return 0;
        }
        List<RequestReport> slowest =
                reports.stream()
                        .sorted(
                                Comparator.comparingLong(
                                                (RequestReport r) -> r.timings().e2eNanos())
                                        .reversed())
                        .limit(LISTED)
                        .toList();
        slowest.forEach(ExplainCommand::list);
        System.out.println();
        Explanation.of(slowest.getFirst()).forEach(System.out::println);
        return 0;
    }

    private static void list(RequestReport report) {
        System.out.printf(
                Locale.ROOT,
                "%-36s %-8s %9.1f ms  queued %9.1f  TTFT %9.1f  %5d + %d tokens%n",
                report.id().isEmpty() ? "number " + report.number() : report.id(),
                report.outcome(),
                report.timings().e2eNanos() / 1e6,
                report.timings().queuedNanos() / 1e6,
                report.timings().ttftNanos() / 1e6,
                report.promptTokens(),
                report.timings().completionTokens());
    }

    private List<RequestReport> recorded(Path file) throws IOException {
        String end = id == null ? null : id.substring(id.lastIndexOf('-') + 1);
        List<RequestReport> found =
                Recording.read(file).requests().stream()
                        .map(RecordedRequest::outcome)
                        .filter(Objects::nonNull)
                        .map(RecordedRequest.Outcome::report)
                        .filter(Objects::nonNull)
                        .filter(report -> end == null || isNamed(report, end))
                        .toList();
        if (end != null && found.isEmpty()) {
            throw new IOException("no request of this id has ended in " + file + ": " + id);
        }
        return found;
    }

    /** Requests that no server has named go by their number. */
    private static boolean isNamed(RequestReport report, String end) {
        return report.id().isEmpty()
                ? String.valueOf(report.number()).equals(end)
                : report.id().endsWith("-" + end) || report.id().equals(end);
    }

    private List<RequestReport> asked() throws IOException, InterruptedException {
        if (id != null && !ID.matcher(id).matches()) {
            throw new IllegalArgumentException("ID must be letters, digits and . _ -: " + id);
        }
        String base = url.endsWith("/") ? url.substring(0, url.length() - 1) : url;
        HttpRequest.Builder request =
                HttpRequest.newBuilder(
                        URI.create(base + "/debug/requests" + (id == null ? "" : "/" + id)));
        if (apiKey != null && !apiKey.isEmpty()) {
            request.header("authorization", "Bearer " + apiKey);
        }
        HttpResponse<String> response;
        try (HttpClient client = HttpClient.newHttpClient()) {
            response = client.send(request.build(), HttpResponse.BodyHandlers.ofString());
        } catch (ConnectException e) {
            throw new IOException("no server answers: url=" + url, e);
        }
        if (response.statusCode() == 404) {
            throw new IOException(
                    id == null
                            ? "the server was started without --debug-requests: " + url
                            : "the server knows no such request, or was started without"
                                    + " --debug-requests: id="
                                    + id);
        }
        if (response.statusCode() != 200) {
            throw new IOException("the server refuses: status=" + response.statusCode());
        }
        try {
            JsonNode requests = JsonMapper.shared().readTree(response.body()).path("requests");
            return requests.valueStream().map(ReportJson::read).toList();
        } catch (JacksonException | IllegalArgumentException e) {
            throw new IOException("the answer is not of a cortado server: url=" + url, e);
        }
    }
}
