package io.cortado.server.record;

import io.cortado.api.GenerationRequest;
import io.cortado.api.Prompt;
import io.cortado.api.RequestReport;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * One request of a recording. Its prompt is ids and its parameters have a seed, so that it can be
 * run again.
 *
 * @param arrivalMillis from the start of the recording
 * @param outcome how it went; null where the recording ends before it did
 */
public record RecordedRequest(
        long number, double arrivalMillis, GenerationRequest request, @Nullable Outcome outcome) {

    /**
     * How a request went.
     *
     * @param outputs what came of each answer
     * @param error why it failed; null where it did not
     * @param report what the engine recorded; null of a request that did not end by itself
     */
    public record Outcome(
            List<Output> outputs, @Nullable String error, @Nullable RequestReport report) {}

    /**
     * One answer.
     *
     * @param finish the API's word; {@code abort} also where nobody read on
     */
    public record Output(int[] ids, String finish) {
        /** True if more might have come. */
        public boolean isCut() {
            return finish.equals(CUT);
        }
    }

    static final String CUT = "abort";

    int[] promptIds() {
        return ((Prompt.Tokens) request.prompt()).ids();
    }

    RecordedRequest outcome(Outcome value) {
        return new RecordedRequest(number, arrivalMillis, request, value);
    }
}
