package io.cortado.server;

import io.cortado.api.RequestReport;
import io.cortado.api.Timings;
import tools.jackson.databind.JsonNode;

/** A {@link RequestReport} as JSON, there and back. Times are whole nanoseconds. */
public final class ReportJson {
    private ReportJson() {}

    public static void write(JsonOut out, RequestReport report) {
        out.open().field("id", report.id()).field("number", report.number());
        out.field("arrival_ms", report.arrivalMillis()).field("tenant", report.tenant());
        out.field("outcome", report.outcome()).field("prompt_tokens", report.promptTokens());
        out.field("answers", report.answers());
        Timings timings = report.timings();
        out.field("completion_tokens", timings.completionTokens());
        out.field("queued_ns", timings.queuedNanos()).field("ttft_ns", timings.ttftNanos());
        out.field("e2e_ns", timings.e2eNanos());
        queue(out.name("queue"), report.queue());
        prefill(out.name("prefill"), report.prefill());
        decode(out.name("decode"), report.decode());
        RequestReport.Drafts drafts = report.drafts();
        out.name("drafts").open().field("verified", drafts.verified());
        out.field("tokens", drafts.tokens()).field("accepted", drafts.accepted()).close();
        RequestReport.Preemption preemption = report.preemption();
        out.name("preemption").open().field("count", preemption.count());
        out.field("waited_ns", preemption.waitedNanos());
        out.field("recomputed_tokens", preemption.recomputedTokens()).close();
        out.name("cost").open().field("device_ns", report.cost().deviceNanos());
        out.name("kv_byte_seconds").value(report.cost().kvByteSeconds()).close().close();
    }

    private static void queue(JsonOut out, RequestReport.Queue queue) {
        out.open().field("waiting_ahead", queue.waitingAhead());
        out.field("running_ahead", queue.runningAhead()).field("admitted", queue.admitted());
        out.field("steps", queue.steps()).field("places_ns", queue.placesNanos());
        out.field("blocks_ns", queue.blocksNanos()).field("budget_ns", queue.budgetNanos());
        out.field("prompt_tokens", queue.promptTokens());
        out.field("output_tokens", queue.outputTokens()).close();
    }

    private static void prefill(JsonOut out, RequestReport.Prefill prefill) {
        out.open().field("cached_tokens", prefill.cachedTokens());
        out.field("host_tokens", prefill.hostTokens()).field("chunks", prefill.chunks());
        out.field("tokens", prefill.tokens()).field("step_tokens", prefill.stepTokens());
        out.field("max_others", prefill.maxOthers()).field("ns", prefill.nanos()).close();
    }

    private static void decode(JsonOut out, RequestReport.Decode decode) {
        RequestReport.SlowestStep slowest = decode.slowest();
        out.open().field("steps", decode.steps()).field("ns", decode.nanos());
        out.field("mixed_steps", decode.mixedSteps()).field("mixed_ns", decode.mixedNanos());
        out.name("slowest").open().field("ns", slowest.nanos()).field("seqs", slowest.seqs());
        out.field("tokens", slowest.tokens());
        out.field("prompt_tokens", slowest.promptTokens()).close().close();
    }

    /**
     * What {@link #write} has written.
     *
     * @throws IllegalArgumentException if a field is missing
     */
    public static RequestReport read(JsonNode node) {
        return new RequestReport(
                string(node, "id"),
                number(node, "number"),
                number(node, "arrival_ms"),
                string(node, "tenant"),
                string(node, "outcome"),
                integer(node, "prompt_tokens"),
                integer(node, "answers"),
                new Timings(
                        number(node, "queued_ns"),
                        number(node, "ttft_ns"),
                        number(node, "e2e_ns"),
                        integer(node, "completion_tokens")),
                queue(node.path("queue")),
                prefill(node.path("prefill")),
                decode(node.path("decode")),
                drafts(node.path("drafts")),
                preemption(node.path("preemption")),
                new RequestReport.Cost(
                        number(node.path("cost"), "device_ns"),
                        node.path("cost").path("kv_byte_seconds").asDouble(0)));
    }

    private static RequestReport.Queue queue(JsonNode node) {
        return new RequestReport.Queue(
                integer(node, "waiting_ahead"),
                integer(node, "running_ahead"),
                number(node, "admitted"),
                number(node, "steps"),
                number(node, "places_ns"),
                number(node, "blocks_ns"),
                number(node, "budget_ns"),
                number(node, "prompt_tokens"),
                number(node, "output_tokens"));
    }

    private static RequestReport.Prefill prefill(JsonNode node) {
        return new RequestReport.Prefill(
                integer(node, "cached_tokens"),
                integer(node, "host_tokens"),
                integer(node, "chunks"),
                number(node, "tokens"),
                number(node, "step_tokens"),
                integer(node, "max_others"),
                number(node, "ns"));
    }

    private static RequestReport.Decode decode(JsonNode node) {
        JsonNode slowest = node.path("slowest");
        return new RequestReport.Decode(
                integer(node, "steps"),
                number(node, "ns"),
                integer(node, "mixed_steps"),
                number(node, "mixed_ns"),
                new RequestReport.SlowestStep(
                        number(slowest, "ns"),
                        integer(slowest, "seqs"),
                        integer(slowest, "tokens"),
                        integer(slowest, "prompt_tokens")));
    }

    /** Recordings of before speculative decoding have none. */
    private static RequestReport.Drafts drafts(JsonNode node) {
        return node.isMissingNode()
                ? new RequestReport.Drafts(0, 0, 0)
                : new RequestReport.Drafts(
                        integer(node, "verified"),
                        integer(node, "tokens"),
                        integer(node, "accepted"));
    }

    private static RequestReport.Preemption preemption(JsonNode node) {
        return new RequestReport.Preemption(
                integer(node, "count"),
                number(node, "waited_ns"),
                number(node, "recomputed_tokens"));
    }

    private static String string(JsonNode node, String name) {
        JsonNode field = node.path(name);
        if (!field.isString()) {
            throw new IllegalArgumentException("a report must have the text " + name);
        }
        return field.stringValue();
    }

    private static long number(JsonNode node, String name) {
        JsonNode field = node.path(name);
        if (!field.canConvertToLong()) {
            throw new IllegalArgumentException("a report must have the number " + name);
        }
        return field.longValue();
    }

    private static int integer(JsonNode node, String name) {
        return Math.toIntExact(number(node, name));
    }
}
