package io.cortado.api;

import org.jspecify.annotations.Nullable;

/** One answer that is a record, waited for. */
final class RecordAnswer {
    /** Of the text of a cut answer, so many characters are told. */
    private static final int TOLD = 200;

    private RecordAnswer() {}

    static <T extends Record> T of(Engine engine, GenerationRequest request, RecordType<T> type)
            throws InterruptedException {
        SamplingParams params = request.params();
        if (params.n() != 1) {
            throw EngineException.invalid("n", "a record is of n=1 answer: n=" + params.n());
        }
        if (params.constraint() != null || request.echo() || !params.stop().isEmpty()) {
            throw EngineException.invalid(
                    Constraint.PARAM, "a record excludes another constraint, echo and stop");
        }
        SamplingParams constrained =
                params.toBuilder().constraint(type.constraint()).skipSpecialTokens(true).build();
        var text = new StringBuilder();
        FinishReason reason = null;
        try (GenerationStream stream = engine.generate(request.params(constrained))) {
            for (GenerationEvent event = stream.next(); event != null; event = stream.next()) {
                switch (event) {
                    case GenerationEvent.Delta delta -> text.append(delta.text());
                    case GenerationEvent.Finished finished -> reason = finished.reason();
                    case GenerationEvent.Failed(EngineException error) -> throw error;
                    case GenerationEvent.Started _,
                            GenerationEvent.PromptScored _,
                            GenerationEvent.Completed _ -> {}
                }
            }
        }
        requireWhole(reason, text, params);
        return type.parse(text.toString());
    }

    private static void requireWhole(
            @Nullable FinishReason reason, StringBuilder text, SamplingParams params) {
        if (!(reason instanceof FinishReason.EndToken)) {
            String told = text.length() > TOLD ? text.substring(0, TOLD) + "..." : text.toString();
            throw EngineException.invalid(
                    "max_tokens",
                    "the answer ended before the record was whole: reason=%s max_tokens=%d text=%s"
                            .formatted(
                                    reason == null ? "none" : reason.apiName(),
                                    params.maxTokens(),
                                    told));
        }
    }
}
