package io.cortado.server.cli;

import io.cortado.api.RequestReport;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;

/** Why a request took as long as it did, in words, from what was recorded of it alone. */
final class Explanation {
    private final RequestReport report;
    private final List<String> lines = new ArrayList<>();

    private Explanation(RequestReport report) {
        this.report = report;
    }

    /** A part of the request's time, and what would shorten it. */
    private record Cause(double nanos, String what) {}

    static List<String> of(RequestReport report) {
        Explanation explanation = new Explanation(report);
        explanation.head();
        explanation.queue();
        explanation.prefill();
        explanation.decode();
        explanation.drafts();
        explanation.preemption();
        explanation.cost();
        explanation.because();
        return explanation.lines;
    }

    private void line(String format, Object... values) {
        lines.add(String.format(Locale.ROOT, format, values));
    }

    private static double ms(double nanos) {
        return nanos / 1e6;
    }

    private void head() {
        String name = report.id().isEmpty() ? "number " + report.number() : report.id();
        String tenant = report.tenant().isEmpty() ? "" : " of " + report.tenant();
        line("request   %s%s: %s", name, tenant, report.outcome());
        line(
                "tokens    %d of the prompt, %d put out%s",
                report.promptTokens(),
                report.timings().completionTokens(),
                report.answers() == 1 ? "" : " in " + report.answers() + " answers");
        long queued = report.timings().queuedNanos();
        long ttft = report.timings().ttftNanos();
        long e2e = report.timings().e2eNanos();
        line(
                "time      %.1f ms = %.1f queued + %.1f to the first token + %.1f to the end",
                ms(e2e), ms(queued), ms(ttft - queued), ms(e2e - ttft));
    }

    private static String count(int count, String noun) {
        return count + " " + noun + (count == 1 ? "" : "s");
    }

    private void queue() {
        RequestReport.Queue queue = report.queue();
        line(
                "queued    behind %d waiting and %d running; %d started first; %d steps computed %d"
                        + " prompt and %d output tokens of others",
                queue.waitingAhead(),
                queue.runningAhead(),
                queue.admitted(),
                queue.steps(),
                queue.promptTokens(),
                queue.outputTokens());
        part("all places were taken", queue.placesNanos());
        part("KV blocks were short", queue.blocksNanos());
        part("the steps' tokens were used up", queue.budgetNanos());
        part("the step under way had to end, or others came first", restOfQueue());
    }

    private void part(String what, double nanos) {
        if (nanos >= 50_000) { // 0.1 ms when rounded
            line("          %.1f ms %s", ms(nanos), what);
        }
    }

    private double restOfQueue() {
        RequestReport.Queue queue = report.queue();
        return Math.max(
                0,
                report.timings().queuedNanos()
                        - queue.placesNanos()
                        - queue.blocksNanos()
                        - queue.budgetNanos());
    }

    private void prefill() {
        RequestReport.Prefill prefill = report.prefill();
        line(
                "prefill   %d tokens in %s, %.1f ms; %d more from the cache%s",
                prefill.tokens(),
                count(prefill.chunks(), "chunk"),
                ms(prefill.nanos()),
                prefill.cachedTokens(),
                prefill.hostTokens() == 0
                        ? ""
                        : " (" + prefill.hostTokens() + " by way of host memory)");
        if (prefill.stepTokens() > prefill.tokens()) {
            line(
                    "          its part of these steps' tokens was %.0f%%; %s",
                    100.0 * prefill.tokens() / prefill.stepTokens(),
                    prefill.maxOthers() == 0
                            ? "the others were decodes"
                            : "one had " + count(prefill.maxOthers(), "other prompt"));
        }
    }

    private void decode() {
        RequestReport.Decode decode = report.decode();
        if (decode.steps() == 0) {
            return;
        }
        int pure = decode.steps() - decode.mixedSteps();
        line(
                "decode    %d steps, %.1f ms: %d of decodes alone at %.2f ms, %d with prompts of"
                        + " others at %.2f ms",
                decode.steps(),
                ms(decode.nanos()),
                pure,
                ms(pureNanosPerStep()),
                decode.mixedSteps(),
                decode.mixedSteps() == 0 ? 0 : ms(decode.mixedNanos()) / decode.mixedSteps());
        RequestReport.SlowestStep slowest = decode.slowest();
        line(
                "          the slowest took %.2f ms: %d sequences, %d tokens, %d of prompts",
                ms(slowest.nanos()), slowest.seqs(), slowest.tokens(), slowest.promptTokens());
    }

    private double pureNanosPerStep() {
        RequestReport.Decode decode = report.decode();
        int pure = decode.steps() - decode.mixedSteps();
        return pure == 0 ? 0 : (double) (decode.nanos() - decode.mixedNanos()) / pure;
    }

    private void drafts() {
        RequestReport.Drafts drafts = report.drafts();
        if (drafts.verified() > 0) {
            line(
                    "drafts    %d of %d tokens stood, %.2f tokens a step with a draft",
                    drafts.accepted(),
                    drafts.tokens(),
                    1 + (double) drafts.accepted() / drafts.verified());
        }
    }

    private void preemption() {
        RequestReport.Preemption preemption = report.preemption();
        if (preemption.count() > 0) {
            line(
                    "preempted %s: %.1f ms until it ran again, %d tokens computed again",
                    count(preemption.count(), "time"),
                    ms(preemption.waitedNanos()),
                    preemption.recomputedTokens());
        }
    }

    private void cost() {
        line(
                "cost      %.1f ms of the device, %.3f MB s of KV cache",
                ms(report.cost().deviceNanos()), report.cost().kvByteSeconds() / 1e6);
    }

    private void because() {
        Cause most =
                causes().stream()
                        .max(Comparator.comparingDouble(Cause::nanos))
                        .orElse(new Cause(0, ""));
        long e2e = report.timings().e2eNanos();
        if (most.nanos() > 0 && e2e > 0) {
            line("mostly    %s: %.0f%% of its time", most.what(), 100 * most.nanos() / e2e);
        }
    }

    private List<Cause> causes() {
        RequestReport.Queue queue = report.queue();
        RequestReport.Prefill prefill = report.prefill();
        RequestReport.Decode decode = report.decode();
        double own =
                prefill.stepTokens() == 0
                        ? 0
                        : (double) prefill.nanos() * prefill.tokens() / prefill.stepTokens();
        double mixed = Math.max(0, decode.mixedNanos() - decode.mixedSteps() * pureNanosPerStep());
        return List.of(
                new Cause(
                        queue.placesNanos(),
                        "waited for a place (more --max-num-seqs, or more replicas)"),
                new Cause(
                        queue.blocksNanos(),
                        "waited for KV blocks (more --kv-cache-memory, or fewer sequences)"),
                new Cause(
                        queue.budgetNanos(),
                        "waited for room in a step (more --max-num-batched-tokens)"),
                new Cause(restOfQueue(), "waited for its turn"),
                new Cause(own, "computed its own prompt (a shared prefix would be cached)"),
                new Cause(prefill.nanos() - own, "shared the steps of its prompt with others"),
                new Cause(decode.nanos() - mixed, "drew its tokens"),
                new Cause(
                        mixed,
                        "drew its tokens in steps that others' prompts made longer (less"
                                + " --max-num-batched-tokens)"),
                new Cause(
                        report.preemption().waitedNanos(),
                        "was thrown out and waited (more --kv-cache-memory)"));
    }
}
